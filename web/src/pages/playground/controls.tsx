// Data, model and recipe of a playground, as plain fields.
import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";
import { t } from "../../kit/words";
import { LETTERS, NAMED, SOLVED, type Choice, type Point, type Upload } from "./choice";
import type { About, Choices } from "./stream";

const LARGEST = 800_000; // bytes of a table
const ACTIVATIONS = ["tanh", "relu", "sigmoid", "identity"], OPTIMIZERS = ["adam", "sgd", "rmsprop", "adagrad", "adamw", "nesterov"];
const PENALTIES = ["none", "l1", "l2", "elastic"], SCHEDULES = ["constant", "one_cycle"];
const MODELS = ["mlp", "softmax", "linear", "svm", "svr", "cart", "random_forest"];
const TOYS = ["xor", "circles", "moons", "spirals", "gaussians", "plane", "bumps"];
const NOISE: Record<string, number> = { moons: 0.1, spirals: 0.02, gaussians: 0.2, plane: 0.05, bumps: 0.05 };

export interface ControlsProps {
  choice: Choice; choices?: Choices; about?: About; points: Point[]; kind: number; runs: string[]; upload?: Upload;
  change: (part: Partial<Choice>) => void; draw: (points: Point[]) => void; undo: () => void; setKind: (kind: number) => void; take: (upload: Upload) => void; refuse: (why: string) => void;
}

export function DataControls(props: ControlsProps): JSX.Element {
  const { choice, change, about } = props;
  const toy = TOYS.includes(choice.data), table = !toy && choice.data !== "points";
  const take = async (event: Event): Promise<void> => {
    const file = (event.currentTarget as HTMLInputElement).files?.[0];
    if (!file) return;
    if (file.size > LARGEST) { props.refuse(t("The file is too large for a playground: {n} kB, 800 at most; train it with chymist fit.", { n: Math.round(file.size / 1000) })); return; }
    props.take({ name: file.name, text: await file.text() });
  };
  return (
    <fieldset class="fields">
      <legend>{t("Data")}</legend>
      <Field label={t("Rows from")}>
        {(id) => <select id={id} value={choice.data} onChange={(event) => pick(event.currentTarget.value, change)}>
          <optgroup label={t("Toy sets")}>{TOYS.map((name) => <option value={name}>{name}</option>)}</optgroup>
          <optgroup label={t("Your own")}><option value="points">{t("points drawn by hand")}</option><option value="csv">{t("a CSV file")}</option></optgroup>
          <optgroup label={t("Real sets")}>{NAMED.map((name) => <option value={name}>{name}</option>)}</optgroup>
          {props.runs.length > 0 && <optgroup label={t("Data of a run")}>{props.runs.map((name) => <option value={`run:${name}`}>{name}</option>)}</optgroup>}
        </select>}
      </Field>
      {toy && <Num label={t("rows")} value={choice.rows} min={4} max={5000} step={10} set={(rows) => change({ rows })} />}
      {toy && <Num label={t("noise")} value={choice.noise} min={0} max={2} step={0.05} set={(noise) => change({ noise })} />}
      {toy && choice.data === "gaussians" && <Num label={t("classes")} value={choice.classes} min={2} max={8} step={1} set={(classes) => change({ classes })} />}
      {toy && <Num label={t("data seed")} value={choice.dataSeed} min={0} max={1e9} step={1} set={(dataSeed) => change({ dataSeed })} />}
      {choice.data === "csv" && <Field label={t("Table (CSV, with a header)")}>{(id) => <input id={id} type="file" accept=".csv,text/csv" onChange={(event) => { void take(event); }} />}</Field>}
      {choice.data === "csv" && <Field label={t("target column")}>{(id) => <input id={id} value={choice.target} placeholder={t("the last one")} onChange={(event) => change({ target: event.currentTarget.value, x: "", y: "" })} />}</Field>}
      {table && about && about.columns.length > 1 && (
        <>
          <Pick label={t("across")} value={choice.x || about.axes[0] || ""} names={about.columns} set={(x) => change({ x, y: choice.y || (about.axes[1] ?? "") })} />
          <Pick label={t("up")} value={choice.y || about.axes[1] || ""} names={about.columns} set={(y) => change({ y, x: choice.x || (about.axes[0] ?? "") })} />
        </>
      )}
      {table && choice.data !== "digits" && <label><input type="checkbox" checked={choice.only && choice.plane !== "pca"} disabled={choice.plane === "pca"} onChange={(event) => change({ only: event.currentTarget.checked })} />{t("train on these two columns only")}</label>}
      {table && choice.data !== "digits" && <label><input type="checkbox" checked={choice.plane === "pca"} onChange={(event) => change({ plane: event.currentTarget.checked ? "pca" : "columns" })} />{t("all columns, seen on the PCA plane")}</label>}
      <Num label={t("validation, % of rows")} value={choice.valid} min={5} max={90} step={5} set={(valid) => change({ valid })} />
      {choice.data === "points" && <Drawing {...props} />}
    </fieldset>
  );
}

const pick = (data: string, change: (part: Partial<Choice>) => void): void => {
  change({ data, noise: NOISE[data] ?? 0, x: "", y: "", only: true, plane: data === "digits" ? "pca" : "columns" });
};

function Drawing({ points, kind, setKind, draw, undo }: ControlsProps): JSX.Element {
  return (
    <div class="toolbar" role="group" aria-label={t("Draw points")}>
      {LETTERS.map((letter, at) => <button type="button" aria-pressed={kind === at} onClick={() => setKind(at)}>{t("class {kind}", { kind: letter })}</button>)}
      <button type="button" aria-pressed={kind < 0} onClick={() => setKind(-1)}>{t("Erase")}</button>
      <button type="button" onClick={undo}>{t("Undo")}</button>
      <button type="button" disabled={!points.length} onClick={() => draw([])}>{t("Clear")}</button>
      <span class="note">{t("{n} points; ten or more of two classes make a set.", { n: points.length })}</span>
    </div>
  );
}

export function RecipeControls({ choice, change, choices }: ControlsProps): JSX.Element {
  const solved = choice.model in SOLVED;
  return (
    <fieldset class="fields">
      <legend>{t("Recipe")}</legend>
      <Pick label={t("model")} value={choice.model} names={first(MODELS, choices?.model)} set={(model) => change({ model })} />
      {choice.model === "mlp" && (
        <>
          <Field label={t("units of the hidden layers")}>{(id) => <input id={id} value={choice.hidden} placeholder="8, 4" onChange={(event) => change({ hidden: event.currentTarget.value })} />}</Field>
          <span class="pair">
            <button type="button" onClick={() => change({ hidden: added(choice.hidden) })}>{t("Add a layer")}</button>
            <button type="button" disabled={!choice.hidden} onClick={() => change({ hidden: choice.hidden.split(",").slice(0, -1).join(",") })}>{t("Remove a layer")}</button>
          </span>
          <Pick label={t("activation")} value={choice.activation} names={first(ACTIVATIONS, choices?.activation)} set={(activation) => change({ activation })} />
        </>
      )}
      {!solved && (
        <>
          <Pick label={t("optimiser")} value={choice.optimizer} names={first(OPTIMIZERS, choices?.optimizer)} set={(optimizer) => change({ optimizer })} />
          <Num label={t("rate")} value={choice.rate} min={0} max={1e6} step="any" set={(rate) => change({ rate })} />
          <Pick label={t("schedule")} value={choice.schedule} names={first(SCHEDULES, choices?.schedule)} set={(schedule) => change({ schedule })} />
          <Pick label={t("penalty")} value={choice.penalty} names={PENALTIES} set={(penalty) => change({ penalty })} />
          {choice.penalty !== "none" && <Num label={t("strength")} value={choice.strength} min={0} max={100} step="any" set={(strength) => change({ strength })} />}
          <Num label={t("batch")} value={choice.batch} min={1} max={5000} step={1} set={(batch) => change({ batch })} />
          <Num label={t("epochs")} value={choice.epochs} min={1} max={5000} step={10} set={(epochs) => change({ epochs })} />
        </>
      )}
      <Num label={t("seed")} value={choice.seed} min={0} max={1e9} step={1} set={(seed) => change({ seed })} />
    </fieldset>
  );
}

const added = (hidden: string): string => (hidden.trim() ? `${hidden},4` : "4");

/** Names that the registry knows, the usual ones first. */
const first = (usual: string[], all: string[] | undefined): string[] => (all ? [...usual.filter((one) => all.includes(one)), ...all.filter((one) => !usual.includes(one))] : usual);

function Field({ label, children }: { label: string; children: (id: string) => ComponentChildren }): JSX.Element {
  const id = useId();
  return <div class="field"><label for={id}>{label}</label>{children(id)}</div>;
}

const Pick = ({ label, value, names, set }: { label: string; value: string; names: string[]; set: (name: string) => void }): JSX.Element => (
  <Field label={label}>{(id) => <select id={id} value={value} onChange={(event) => set(event.currentTarget.value)}>{(names.includes(value) ? names : [value, ...names]).map((name) => <option value={name}>{name}</option>)}</select>}</Field>
);

function Num({ label, value, min, max, step, set }: { label: string; value: number; min: number; max: number; step: number | "any"; set: (value: number) => void }): JSX.Element {
  const given = (event: Event): void => {
    const field = event.currentTarget as HTMLInputElement, found = field.valueAsNumber;
    if (isFinite(found) && found >= min && found <= max) set(found); else field.value = String(value);
  };
  return <Field label={label}>{(id) => <input id={id} type="number" value={value} min={min} max={max} step={step} onChange={given} />}</Field>;
}
