// A text, token by token, underlined by role: each token a chip that can be shaded.

const MOST_LETTERS = 80; // of a token in the text; the whole of it on hover

// startsWord(token): whether the token is the first of its word, which gets the role's letter.
function tokenChips(tokens, roles, startsWord) {
  return tokens.map((token, at) => {
    const role = roles[at];
    const text = token.trim() ? shorten(token, MOST_LETTERS) : "·";
    const chip = make("span", { class: `token ${role}`, "data-token": at });
    // The letter stands before the word, not before the space in front of it.
    if (startsWord(at) && ROLE_STYLES[role].letter) chip.append(roleBadge(role), text.trimStart());
    else chip.append(text);
    return chip;
  });
}

// Lines break where the text's do, and may before words, with or without a space in front.
function layChips(box, tokens, chips) {
  chips.forEach((chip, at) => {
    if (tokens[at - 1]?.endsWith("↵")) box.append(make("br"));
    else if (/^\s*[\p{L}\p{N}]/u.test(tokens[at])) box.append("\u200b");
    box.append(chip);
  });
}

// A weight's share of the highest as a shade behind its token; nothing for next to nothing.
function shadeChip(chip, share, rgb) {
  const strength = 0.72 * Math.min(share, 1);
  chip.style.background = strength > 0.004 ? `rgba(${rgb}, ${strength})` : "";
}
