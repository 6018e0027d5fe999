// The visible texts of a page whose contrast with what is behind them is below 4.5 to 1 (WCAG 2.2, 1.4.3).
const parse = (color) => color.match(/[\d.]+/g).map(Number);
const channel = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
// What is seen of colours that let others through: the nearest first, the page's white at the end.
const behind = (element) => {
  let seen = [0, 0, 0], left = 1;
  for (let each = element; each && left > 0; each = each.parentElement) {
    const [red, green, blue, alpha = 1] = parse(getComputedStyle(each).backgroundColor);
    seen = seen.map((value, index) => value + left * alpha * [red, green, blue][index]);
    left *= 1 - alpha;
  }
  return seen.map((value) => value + left * 255);
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  const words = walker.currentNode.data.trim();
  if (!words || !element.checkVisibility() || ["SCRIPT", "STYLE"].includes(element.tagName)) continue;
  const colors = [parse(getComputedStyle(element).color), behind(element)];
  const [light, dark] = colors.map(luminance).sort((a, b) => b - a);
  const ratio = (light + 0.05) / (dark + 0.05);
  if (ratio < 4.5) found.push([words.slice(0, 60), ...colors.map(String), ratio.toFixed(2)]);
}
return found;
