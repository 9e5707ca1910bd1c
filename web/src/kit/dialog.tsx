// Dialogs: the browser's own element keeps the focus inside and gives it back.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { t } from "./words";

export interface DialogProps {
  title: string;
  onClose: () => void;
  /** Buttons beside "Close". */
  actions?: ComponentChildren;
  children: ComponentChildren;
}

/** A dialog that is open as long as it is rendered. */
export function Dialog(props: DialogProps): JSX.Element {
  const box = useRef<HTMLDialogElement>(null), name = useId();
  useEffect(() => {
    const from = document.activeElement as HTMLElement | null;
    box.current?.showModal();
    return () => from?.focus();
  }, []);
  return (
    <dialog ref={box} aria-labelledby={name} onClose={props.onClose}
      onClick={(event) => { if (event.target === box.current) box.current?.close(); }}>
      <h2 id={name}>{props.title}</h2>
      {props.children}
      <div class="actions">
        {props.actions}
        <button type="button" onClick={() => box.current?.close()}>{t("Close")}</button>
      </div>
    </dialog>
  );
}

/** A word with an explanation that shows when one points at it or reaches it by keyboard. */
export function Tip({ text, children }: { text: string; children: ComponentChildren }): JSX.Element {
  const name = useId();
  return (
    <span class="tip">
      <button type="button" class="link" aria-describedby={name}>{children}</button>
      <span role="tooltip" id={name}>{text}</span>
    </span>
  );
}
