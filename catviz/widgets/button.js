// A button that asks the kernel; without one it says what to do instead of failing.

export default {
  render({ model, el }) {
    const button = document.createElement("button");
    button.type = "button";
    Object.assign(button.style, { width: "100%", margin: 0 });
    const show = () => {
      button.textContent = model.get("description");
      button.disabled = model.get("disabled");
      // The looks are those of ipywidgets' own buttons.
      button.className = "lm-Widget jupyter-widgets jupyter-button widget-button";
      button.classList.toggle("mod-primary", model.get("primary"));
    };
    button.addEventListener("click", () => {
      try {
        model.send({ event: "click" });
      } catch {
        button.title = "The kernel has stopped: run this cell again.";
        button.textContent = "no kernel";
      }
    });
    model.on("change", show);
    show();
    el.append(button);
    return () => model.off("change", show);
  },
};
