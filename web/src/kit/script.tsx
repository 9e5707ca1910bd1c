// "The script that does this": Python, and the command where there is one.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { announce } from "./announce";
import { t } from "./words";

export function Script({ python, command }: { python: string; command?: string }): JSX.Element {
  return (
    <details class="script">
      <summary>{t("The script that does this")}</summary>
      {command && <Code text={command} label={t("Command")} />}
      <Code text={python} label="Python" />
    </details>
  );
}

export function Code({ text, label }: { text: string; label: string }): JSX.Element {
  const [done, setDone] = useState(false);
  const copy = (): void => { void navigator.clipboard.writeText(text).then(() => { setDone(true); announce(t("Copied")); }); };
  return (
    <div class="code">
      <pre tabIndex={0} role="region" aria-label={label}>{text}</pre>
      <button type="button" onClick={copy}>{done ? t("Copied") : t("Copy")}</button>
    </div>
  );
}
