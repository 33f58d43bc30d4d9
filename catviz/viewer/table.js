// Numbers as a table, for those who cannot see the picture.

function table(caption, header, rows) {
  const names = header.map((text) => make("th", { scope: "col" }, text));
  return make(
    "div",
    { class: "table", tabindex: 0, role: "region", "aria-label": caption },
    make(
      "table",
      {},
      make("caption", {}, caption),
      make("thead", {}, make("tr", {}, ...names)),
      make(
        "tbody",
        {},
        ...rows.map((cells) =>
          make(
            "tr",
            {},
            ...cells.map((text, at) =>
              at === 0 ? make("th", { scope: "row" }, text) : make("td", {}, text),
            ),
          ),
        ),
      ),
    ),
  );
}
