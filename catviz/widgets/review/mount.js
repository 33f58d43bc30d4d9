// anywidget calls this once a widget (see signal_review.py). The text that is shown comes in a
// message, unasked, or on request when a page is loaded again.
export default () => {
  let newest = null;
  const views = new Set();
  const ask = (model, message) => {
    try {
      model.send(message);
      return true;
    } catch {
      return false; // no kernel: what has been drawn stays
    }
  };
  return {
    initialize({ model }) {
      model.on("msg:custom", (message) => {
        if (message.kind !== "text") return;
        newest = message;
        for (const view of views) view.hear(message);
      });
    },
    render({ model, el }) {
      const root = make("div", { class: "catviz-review" });
      el.append(root);
      const view = new ReviewView(root, (message) => ask(model, message));
      views.add(view);
      if (newest) view.hear({ ...newest, reply: null });
      else ask(model, { kind: "show" });
      return () => {
        views.delete(view);
        view.stop();
      };
    },
  };
};
