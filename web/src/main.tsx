import { render } from "preact";
import { App } from "./kit/shell";

render(<App />, document.getElementById("app")!);
