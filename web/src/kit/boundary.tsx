import { Component, type ComponentChildren, type JSX } from "preact";
import { t } from "./words";

/** A part that fails says so in one line; the rest of the page goes on. */
export class Boundary extends Component<{ children: ComponentChildren }, { error?: Error }> {
  static override getDerivedStateFromError(error: Error): { error: Error } { return { error }; }

  override componentDidCatch(error: Error): void { console.error(error); }

  override render(): JSX.Element {
    const { error } = this.state;
    if (!error) return <>{this.props.children}</>;
    return (
      <p class="error" role="alert">
        {t("This part of the page has failed: {error}", { error: error.message })}{" "}
        <button type="button" class="link" onClick={() => this.setState({ error: undefined as never })}>{t("Try again")}</button>
      </p>
    );
  }
}
