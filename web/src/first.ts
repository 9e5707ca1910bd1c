// Before anything is drawn: the theme that the reader chose, so that no page flashes in the other.
const chosen = localStorage.getItem("theme");
if (chosen === '"light"' || chosen === '"dark"') document.documentElement.dataset.theme = JSON.parse(chosen);
export {};
