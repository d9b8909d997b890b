// Before the first paint, so that a chosen theme does not flash the other one.
try {
  const chosen = localStorage.getItem("liqmon.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is off: the system's choice holds.
}
