// Before anything is drawn: the theme that the reader chose, so that no page flashes in the other.
const chosen = localStorage.getItem("theme");
if (chosen === '"light"' || chosen === '"dark"') document.documentElement.dataset.theme = JSON.parse(chosen);

// What the page will ask first is asked at once, while its modules load; `get` takes the answer from here.
const [path = "", query] = location.hash.replace(/^#\/?/, "").split("?"), [first, run, tab] = path.split("/");
const ahead: string[] = ["/api/session"];
if (!path && !query) ahead.push("/api/runs?start=0&count=60");
if (first === "runs" && run) ahead.push(`/api/runs/${run}/frame`, ...(tab === "curves" ? [`/api/runs/${run}/series`] : []));
window.__ahead = new Map(ahead.map((address) => {
  const answer = fetch(address);
  answer.catch(() => undefined); // who takes it hears of it
  return [address, answer];
}));
export {};
