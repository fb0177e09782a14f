/** Reads a curve under the pointer: the row of its table of numbers that is nearest to it. The drawing is there already. */

for (const figure of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".curve"))) {
  readUnderPointer(figure);
}

/** @param {HTMLElement} figure */
function readUnderPointer(figure) {
  const plot = /** @type {SVGSVGElement} */ (figure.querySelector(".plot"));
  const cursor = /** @type {SVGPathElement} */ (figure.querySelector(".cursor"));
  const readout = /** @type {HTMLElement} */ (figure.querySelector(".readout"));
  const names = [...figure.querySelectorAll("thead th")].slice(1).map((cell) => cell.textContent);
  const rows = [...figure.querySelectorAll("tbody tr")].map((row) => {
    const [step, ...values] = [...row.children].map((cell) => cell.textContent ?? "");
    return { step: Number(step), values };
  });
  const given = (/** @type {string} */ name) => Number(figure.dataset[name]);
  const [x0, x1, first, last] = [given("x0"), given("x1"), given("first"), given("last")];

  plot.addEventListener("pointermove", (event) => {
    const { left, width } = plot.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * plot.viewBox.baseVal.width;
    const wanted = x1 === x0 ? first : first + ((x - x0) / (x1 - x0)) * (last - first);
    const distance = (/** @type {{ step: number }} */ row) => Math.abs(row.step - wanted);
    const nearest = rows.reduce((best, row) => (distance(row) < distance(best) ? row : best));
    const at = x1 === x0 ? x0 : x0 + ((nearest.step - first) / (last - first)) * (x1 - x0);
    cursor.setAttribute("transform", `translate(${at} 0)`);
    const values = nearest.values.flatMap((value, i) => (value === "" ? [] : `${names[i]} ${value}`));
    readout.textContent = `step ${nearest.step}: ${values.join(" · ")}`;
    figure.classList.add("reading");
  });
  plot.addEventListener("pointerleave", () => {
    readout.textContent = "";
    figure.classList.remove("reading");
  });
}
