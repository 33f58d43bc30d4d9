// Attention in words: values with their errors, shares in percent.

// "0.12345" where it is exact, else "0.123 ± 0.002" with the digits it has. The error shown
// includes that of the rounding.
function formatValue(value, error = 0, signed = false) {
  const sign = signed && value > 0 ? "+" : "";
  if (!error) {
    if (value === 0) return "0";
    return sign + (Math.abs(value) < 1e-4 ? value.toExponential(3) : value.toPrecision(5));
  }
  const digits = Math.min(Math.max(Math.ceil(-Math.log10(error)), 1), 6);
  const unit = 10 ** -digits;
  const shown = Math.ceil((error + unit / 2) / unit - 1e-9) * unit;
  return `${sign}${value.toFixed(digits)} ± ${shown.toFixed(digits)}`;
}

const formatShare = (share, signed = false) => {
  const percent = 100 * share;
  const sign = signed && percent > 0 ? "+" : "";
  if (Math.abs(percent) < 0.05) return "0%";
  return `${sign}${percent.toFixed(Math.abs(percent) < 9.95 ? 1 : 0)}%`;
};
