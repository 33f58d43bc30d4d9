"""The HTML page around figures: one file, no outside resource, light and dark."""

from catviz.figures.text import escape

__all__ = ["html_page"]

_BASE_CSS = """\
:root {
  color-scheme: light dark;
  --background: #ffffff; --ink: #1f2328; --muted: #59636e; --rule: #d5dae0; --tint: #f6f7f9;
  --link: #00568a;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --background: #14171a; --ink: #e6e8eb; --muted: #a3abb5; --rule: #363d44; --tint: #1b1f23;
    --link: #6fb7e6;
  }
}
body {
  margin: 0; background: var(--background); color: var(--ink);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
main { max-width: 70rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
figure { margin: 1.75rem 0; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { max-width: 70ch; margin-top: .6rem; color: var(--muted); font-size: .9rem; }
figcaption strong { color: var(--ink); }
@media print {
  :root { color-scheme: light; }
  main { max-width: none; padding: 0; }
  figure, table { break-inside: avoid; }
}
"""


def html_page(*, title: str, body: str, css: str = "") -> str:
    """Return a whole document; ``body`` and ``css`` are trusted, ``title`` is escaped."""
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{_BASE_CSS}{css}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
