// One view of the texts under review: what the kernel sent last, and what is asked of it.

const PATIENCE = 2000; // milliseconds without an answer, then it is said

class ReviewView {
  // ask(message): whether there was a kernel to hear it.
  constructor(root, ask) {
    Object.assign(this, { root, ask, shown: null, focus: 0, asked: 0, pending: new Map() });
    this.passage = new Passage();
    this.editor = new Editor((relation) => this.save(relation), () => this.closeEditor());
    this.map = new TokenMap();
    this.list = make("ol", { class: "list", "aria-label": "Relations" });
    this.faults = make("ul", { class: "faults" });
    this.place = make("span", { class: "place" });
    this.progress = make("progress", {});
    this.status = make("span", { class: "status", role: "status" });
    this.goTo = make("input", { type: "number", min: 1, "aria-label": "Go to text number" });
    this.goTo.addEventListener("change", () => {
      const number = Math.round(Number(this.goTo.value));
      if (number >= 1) this.go(number - 1);
    });
    const { groups, buttons } = actionButtons((name) => this.act(name));
    this.buttons = buttons;
    const go = make("label", { class: "go" }, "go to text ", this.goTo);
    const about = make("div", { class: "about" }, this.place, this.progress, go, this.status);
    const read = make("div", { class: "read" }, this.passage.element, this.keyOfMarks());
    const judge = make("div", { class: "judge" }, this.faults, this.editor.element, this.list);
    this.frame = make(
      "div",
      { class: "review", tabindex: 0, role: "application", "aria-label": "Review of signals" },
      about,
      make("div", { class: "buttons" }, ...groups),
      make("div", { class: "columns" }, read, judge),
      this.map.element,
    );
    root.attachShadow({ mode: "open" }).replaceChildren(make("style", {}, CSS), this.frame);
    listenToKeys(this.frame, (name) => this.act(name));
    // A click anywhere in it makes the keys work, as it does where the focus is a button.
    this.frame.addEventListener("click", (event) => {
      const [target] = event.composedPath();
      if (!isField(target) && !this.editor.isOpen) this.frame.focus({ preventScroll: true });
    });
    this.observer = new ResizeObserver(() => this.passage.drawLinks());
    this.observer.observe(this.passage.element);
    this.paint = () => {
      root.dataset.theme = themeName();
      if (this.shown) this.map.show(this.shown, THEMES[themeName()]);
    };
    this.unwatch = watchTheme(this.paint);
    root.dataset.theme = themeName();
    this.wait();
  }

  stop() {
    clearTimeout(this.waiting);
    this.observer.disconnect();
    this.unwatch();
  }

  keyOfMarks() {
    const entry = (kind, letter, text) =>
      make("span", {}, make("span", { class: `letter ${kind}-letter` }, letter), ` ${text}`);
    return make(
      "p",
      { class: "marks muted" },
      entry("effect", "E", "effect"),
      entry("cause", "C", "its causes"),
      entry("faulty", "!", "not before the effect"),
      make("span", {}, make("span", { class: "other" }, "dotted"), " in other relations"),
    );
  }

  // --- what the kernel says

  hear(message) {
    clearTimeout(this.waiting);
    const isSame = this.shown?.number === message.number;
    const reply = message.reply && this.pending.get(message.reply.id);
    if (message.reply) this.pending.delete(message.reply.id);
    this.shown = message;
    if (!isSame) {
      this.editor.close();
      this.focus = this.firstOpen(-1) ?? 0;
    } else if (reply) {
      this.settle(reply, message);
    }
    this.focus = Math.min(this.focus, Math.max(message.relations.length - 1, 0));
    this.say(message);
    this.draw();
  }

  // A verdict was saved, or was not: then what was typed stays, and the reason is told.
  settle(asked, { failed, relations }) {
    if (asked.isEdit) {
      this.editor.complain(failed ?? "");
      if (failed) return;
      this.closeEditor();
      if (asked.verdict === "added") this.focus = relations.length - 1;
      else this.focus = this.firstOpen(asked.focus) ?? asked.focus;
    } else if (failed) {
      this.focus = asked.focus;
    }
  }

  say({ said, saved, failed }) {
    this.status.className = failed ? "status failed" : saved ? "status saved" : "status";
    this.status.setAttribute("role", failed ? "alert" : "status");
    this.status.textContent = failed ? `Not saved: ${failed}` : saved ? `✓ ${saved}` : said ?? "";
  }

  wait() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      this.say({ said: "Waiting for the kernel. If it has stopped, run the cell again." });
    }, PATIENCE);
  }

  // --- what a person does

  act(name) {
    if (!this.shown || this.editor.isOpen) return;
    const judge = { accept: "accepted", reject: "rejected", takeBack: "open" };
    const whole = { acceptAll: "accepted", leaveOut: "rejected" };
    if (name === "up" || name === "down") this.moveTo(this.focus + (name === "up" ? -1 : 1));
    else if (name in judge) this.judge(judge[name]);
    else if (name in whole) this.judgeText(whole[name]);
    else if (name === "edit") this.edit();
    else if (name === "add") this.editor.open({ effect: "", causes: [] }, true);
    else this.go(name);
  }

  go(to) {
    this.send({ kind: "go", to });
  }

  moveTo(at) {
    if (at < 0 || at >= this.shown.relations.length) return;
    this.focus = at;
    this.draw();
  }

  edit() {
    const relation = this.shown.relations[this.focus];
    if (relation) this.editor.open(plainRelation(standing(relation)), false);
  }

  save(edited) {
    const { isNew } = this.editor;
    const relation = isNew ? edited : plainRelation(this.shown.relations[this.focus]);
    const verdict = isNew ? "added" : "edited";
    this.tell({ relation, verdict, ...(isNew ? {} : { edited }) }, { isEdit: true, verdict });
  }

  closeEditor() {
    this.editor.close();
    this.frame.focus({ preventScroll: true });
  }

  // The next key may come before the answer does: the focus moves on at once.
  judge(verdict) {
    const relation = this.shown.relations[this.focus];
    if (!relation) {
      this.say({ said: "This text has no relation: N adds one, ⇧ A accepts the text as it is." });
      return;
    }
    if (!this.tell({ relation: plainRelation(relation), verdict }, { verdict })) return;
    if (verdict === "open") return;
    relation.verdict = verdict;
    this.focus = this.firstOpen(this.focus) ?? this.focus;
    this.draw();
  }

  // Once more takes it back.
  judgeText(verdict) {
    const taken = this.shown.verdict === verdict ? "open" : verdict;
    this.tell({ relation: null, verdict: taken }, { verdict });
  }

  firstOpen(behind) {
    const { relations } = this.shown;
    const order = [...relations.keys()].map((at) => (behind + 1 + at) % relations.length);
    return order.find((at) => relations[at].verdict === "open");
  }

  tell(verdict, about) {
    const id = `${Date.now()}-${Math.random()}`;
    this.pending.set(id, { ...about, focus: this.focus });
    this.say({ said: "saving …" });
    return this.send({ kind: "judge", id, number: this.shown.number, ...verdict });
  }

  send(message) {
    if (this.ask(message)) {
      this.wait();
      return true;
    }
    this.say({ failed: "the kernel has stopped; run the cell again." });
    return false;
  }

  // --- what is seen

  draw() {
    const { shown } = this;
    const { relations } = shown;
    const count = (n) => n.toLocaleString("en");
    const at = `Text ${count(shown.number + 1)} of ${count(shown.total)}`;
    this.place.textContent = `${at} · ${count(shown.reviewed)} reviewed`;
    this.progress.max = shown.total;
    this.progress.value = shown.reviewed;
    this.progress.setAttribute("aria-label", `${shown.reviewed} of ${shown.total} reviewed`);
    this.goTo.max = shown.total;
    if (this.root.shadowRoot.activeElement !== this.goTo) this.goTo.value = shown.number + 1;
    this.root.dataset.number = shown.number;
    this.root.dataset.focus = this.focus;
    this.root.dataset.drawn = "";
    this.frame.classList.toggle("left-out", shown.verdict === "rejected");
    const press = (name, isOn) =>
      this.buttons.get(name).setAttribute("aria-pressed", String(isOn));
    press("acceptAll", shown.verdict === "accepted");
    press("leaveOut", shown.verdict === "rejected");
    const about = [...shown.faults];
    if (shown.verdict === "rejected") about.unshift("This text is left out of training.");
    if (shown.verdict === "accepted") about.unshift("This text is accepted as it is.");
    this.faults.replaceChildren(...about.map((text) => make("li", {}, text)));
    this.faults.hidden = !about.length;
    const others = relations.filter((_, at) => at !== this.focus).map(standing);
    const inFocus = relations[this.focus];
    this.passage.show(shown, inFocus ? standing(inFocus) : null, others);
    this.list.replaceChildren(
      ...relations.map((relation, at) =>
        relationItem(relation, at, at === this.focus, (to) => this.moveTo(to)),
      ),
    );
    this.keepInSight();
    this.passage.drawLinks();
    this.map.show(shown, THEMES[themeName()]);
  }

  // Scrolls the list, never the notebook.
  keepInSight() {
    const item = this.list.children[this.focus];
    if (!item) return;
    const [top, bottom] = [item.offsetTop, item.offsetTop + item.offsetHeight];
    if (top < this.list.scrollTop) this.list.scrollTop = top;
    const end = this.list.scrollTop + this.list.clientHeight;
    if (bottom > end) this.list.scrollTop = bottom - this.list.clientHeight;
  }
}
