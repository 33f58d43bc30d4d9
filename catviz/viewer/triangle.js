// Maps are lower triangles in one array: row r, key c at triangle(r) + c.

const triangle = (size) => (size * (size + 1)) / 2;

// Which values of a map make its colour scale.
function scaleMask(size) {
  const mask = new Uint8Array(triangle(size)).fill(1);
  for (let row = 0; row < size; row++) mask[triangle(row)] = 0;
  return mask;
}
