// Keys: a page says which it has; "?" lists them. Single letters can be switched off (WCAG 2.1.4).
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Dialog } from "./dialog";
import { setting, useSetting } from "./setting";
import { t } from "./words";

export interface Key {
  /** As KeyboardEvent.key has it, or what is listed, such as "← →". */
  key: string;
  says: string;
  /** Absent: the key belongs to a chart or a list and is only listed. */
  does?: () => void;
}

const listed = signal<readonly (readonly Key[])[]>([]);
const isTyping = (event: KeyboardEvent): boolean =>
  event.target instanceof Element && event.target.matches("input:not([type=checkbox],[type=radio],[type=range]), textarea, select, [contenteditable]");

/** Keys as long as a page is shown; give a list that stays the same or `keys` that tell when it changes. */
export function useKeys(keys: readonly Key[], depends: unknown[] = []): void {
  useEffect(() => {
    listed.value = [...listed.value, keys];
    return () => { listed.value = listed.value.filter((one) => one !== keys); };
  }, depends);
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || document.querySelector("dialog[open]")) return;
  if (event.key.length === 1 && !setting("keys", true).value) return;
  const found = listed.value.flat().findLast((one) => one.key === event.key && one.does);
  if (!found) return;
  event.preventDefault();
  found.does?.();
});

export function KeyHelp(): JSX.Element {
  const [open, setOpen] = useState(false);
  const [on, setOn] = useSetting("keys", true);
  useKeys([{ key: "?", says: t("List of keys"), does: () => setOpen(true) }]);
  return (
    <>
      <button type="button" class="quiet" aria-label={t("Keys")} title={t("Keys")} onClick={() => setOpen(true)}><kbd>?</kbd></button>
      {open && (
        <Dialog title={t("Keys")} onClose={() => setOpen(false)}>
          <table>
            <tbody>{listed.value.flat().map((one) => (
              <tr><th scope="row"><kbd>{one.key}</kbd></th><td>{one.says}</td></tr>
            ))}
              <tr><th scope="row"><kbd>Tab</kbd></th><td>{t("To the next control; charts and tables can be reached too")}</td></tr>
              <tr><th scope="row"><kbd>Esc</kbd></th><td>{t("Close a dialog")}</td></tr>
            </tbody>
          </table>
          <p><label><input type="checkbox" checked={on} onChange={(event) => setOn(event.currentTarget.checked)} />{t("Single letters are keys")}</label></p>
        </Dialog>
      )}
    </>
  );
}
