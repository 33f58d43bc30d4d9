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
  let found = null;
  let arrive;
  const arrived = new Promise((resolve) => (arrive = resolve));
  return {
    initialize({ model }) {
      model.on("msg:custom", (message, buffers) => {
        if (message.kind !== "patterns" || found) return;
        found = { meta: message.meta, bytes: buffers[0] };
        arrive();
      });
    },
    render({ model, el }) {
      const root = make("div", { class: "catviz-viewer" });
      el.append(root);
      const kernel = new Kernel(model);
      const text = "Waiting for the kernel. If it has stopped, run the cell again.";
      const waiting = make("p", {}, text);
      const hint = setTimeout(() => root.append(waiting), 2000);
      if (!found) kernel.send({ kind: "patterns" });
      let viewer = null;
      let isGone = false;
      arrived.then(async () => {
        clearTimeout(hint);
        waiting.remove();
        try {
          const patterns = await Patterns.read(found.meta, found.bytes);
          if (!isGone) viewer = new Viewer(root, patterns, (...asked) => kernel.exact(...asked));
        } catch (error) {
          fail(root, error);
        }
      });
      return () => {
        isGone = true;
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

  send(message) {
    try {
      this.model.send(message);
    } catch {
      // no kernel: what has been drawn stays
    }
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
