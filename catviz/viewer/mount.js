// The ways in: from a page and from a notebook.

function fail(root, error) {
  const shadow = root.shadowRoot ?? root.attachShadow({ mode: "open" });
  const text = `The viewer cannot be drawn: ${error.message}.`;
  shadow.replaceChildren(make("p", { role: "alert" }, text));
  root.dataset.failed = "";
}

// From a page: every fragment (see page.py), one after the other.
async function mountPage(page) {
  for (const root of page.querySelectorAll("[data-catviz-viewer]:not([data-mounted])")) {
    root.dataset.mounted = "";
    const part = (name) => root.querySelector(`script[data-catviz="${name}"]`);
    try {
      const meta = JSON.parse(part("meta").textContent);
      const bytes = bytesOfBase64(part("data").textContent);
      part("data").remove(); // the text is no longer needed
      new Viewer(root, await Patterns.read(meta, bytes));
    } catch (error) {
      fail(root, error);
    }
  }
}

// From a notebook: anywidget calls this once a widget (see widget.py). The patterns come in a
// message, unasked, or on request when a page is loaded again.
export default () => {
  let found = null; // the newest patterns
  const views = new Set(); // what draws them, once a view
  return {
    initialize({ model }) {
      model.on("msg:custom", (message, buffers) => {
        if (message.kind !== "patterns") return;
        found = { meta: message.meta, bytes: buffers[0] };
        for (const draw of views) draw();
      });
    },
    render({ model, el }) {
      const root = make("div", { class: "catviz-viewer" });
      el.append(root);
      const kernel = new Kernel(model);
      const text = "Waiting for the kernel. If it has stopped, run the cell again.";
      const waiting = make("p", {}, text);
      const hint = setTimeout(() => root.append(waiting), 2000);
      let viewer = null;
      const openNamed = () => viewer?.openNamed(model.get("opened"));
      const told = (names) => kernel.set("opened", names);
      const draw = async () => {
        clearTimeout(hint);
        waiting.remove();
        viewer?.stop();
        const mine = found;
        try {
          const patterns = await Patterns.read(mine.meta, mine.bytes);
          if (mine !== found || !views.has(draw)) return;
          const exact = (...asked) => kernel.exact(...asked);
          viewer = new Viewer(root, patterns, { exact, told, before: viewer });
          openNamed();
        } catch (error) {
          fail(root, error);
        }
      };
      views.add(draw);
      model.on("change:opened", openNamed);
      if (found) draw();
      else kernel.send({ kind: "patterns" });
      return () => {
        views.delete(draw);
        model.off("change:opened", openNamed);
        clearTimeout(hint);
        kernel.stop();
        viewer?.stop();
      };
    },
  };
};

// Questions to the kernel. One that nobody answers stays open, and nothing waits for it.
class Kernel {
  constructor(model) {
    this.model = model;
    this.replies = new Map();
    this.listen = (message, buffers) => {
      if (message.kind !== "map") return;
      const floats = ({ buffer, byteOffset, byteLength }) =>
        new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength)); // aligned
      this.replies.get(message.id)?.(buffers.map(floats));
      this.replies.delete(message.id);
    };
    model.on("msg:custom", this.listen);
  }

  // Whether there was a kernel to send to; without one, what has been drawn stays.
  send(message) {
    try {
      this.model.send(message);
      return true;
    } catch {
      return false;
    }
  }

  // Without a kernel, widgets that are linked in the page follow all the same.
  set(name, value) {
    this.model.set(name, value);
    // Asked first: saving complains in the console where nobody listens.
    if (this.send({ kind: "hello" })) this.model.save_changes();
  }

  exact(heads, sink) {
    return new Promise((resolve) => {
      const id = `${Date.now()}-${Math.random()}`;
      this.replies.set(id, resolve);
      this.send({ kind: "map", id, heads, sink });
    });
  }

  stop() {
    this.model.off("msg:custom", this.listen);
  }
}
