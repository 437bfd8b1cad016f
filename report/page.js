// Click a column's head to sort by it, click again to turn the order round. Empty cells always come last.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement;
    const body = head.closest("table").tBodies[0];
    const column = head.cellIndex;
    const descending = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const key = (row) => {
      const cell = row.cells[column];
      return cell.dataset.value !== undefined ? Number(cell.dataset.value) : cell.textContent;
    };
    // a text may begin with a number and its sign: +0.0004, -0.0082 to 0.0011
    const leading = (value) => typeof value === "number" ? value : /^[+-]?\d+(\.\d+)?(?![\w.])/.test(value) ? parseFloat(value) : NaN;
    const rows = [...body.rows].sort((a, b) => {
      const one = key(a), two = key(b);
      if (one === "–" || two === "–") return (one === "–") - (two === "–");
      const order = leading(one) - leading(two) || String(one).localeCompare(String(two), undefined, { numeric: true });
      return descending ? -order : order;
    });
    body.append(...rows);
  });
}
