import { render } from "preact";
import { place } from "./kit/route";
import { App, pageOf } from "./kit/shell";

void pageOf(place.value.parts)?.().catch(() => undefined); // before the first drawing; the shell says what is wrong
render(<App />, document.getElementById("app")!);
