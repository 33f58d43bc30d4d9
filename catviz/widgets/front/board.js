export default {
  render({ el }) {
    el.append("charts");
  },
};
