// Short lessons: what to set, and what to look for. Names of the buttons are stable.
import { FIRST, type Choice } from "./choice";

export interface Lesson { name: string; says: string; set: Partial<Choice> }

export const LESSONS: Lesson[] = [
  { name: "XOR, linear model", set: { model: "softmax" },
    says: "A linear model draws one straight line, and no straight line separates opposite quarters. Watch it end where guessing ends, and what the doctor says." },
  { name: "XOR, one hidden layer", set: {},
    says: "Four hidden units draw four lines, and the output adds them up. The small pictures show what each unit has learned." },
  { name: "Circles", set: { data: "circles" },
    says: "A closed boundary from straight pieces: each unit cuts off a side. With two units it cannot close; try it." },
  { name: "Spirals, too small", set: { data: "spirals", rows: 300, noise: 0.02, hidden: "4", epochs: 100 },
    says: "Four units are too few lines for two arms that go round. Validation and training are poor alike: that is bias, not bad luck." },
  { name: "Spirals, two layers", set: { data: "spirals", rows: 300, noise: 0.02, hidden: "8,8", epochs: 100 },
    says: "The second layer combines what the first has cut. Look at its pictures: they are curved." },
  { name: "Rate too high", set: { data: "bumps", noise: 0.05, hidden: "8", activation: "relu", optimizer: "sgd", rate: 10, epochs: 30 },
    says: "Every step overshoots by more than the last, until the loss is no number any more. The run stops before the step that would spoil it." },
  { name: "Overfitting", set: { data: "moons", rows: 60, noise: 0.4, hidden: "64,64", activation: "relu", rate: 0.01, epochs: 300, valid: 50, speed: 20 },
    says: "Thirty noisy points and 4,000 weights: the training loss goes to 0, the validation loss goes up, the boundary bends round single points." },
  { name: "Dying ReLU", set: { data: "circles", hidden: "8,8", activation: "relu", optimizer: "sgd", rate: 3, epochs: 30 },
    says: "Large steps push units to where they are 0 for every row. They get no gradient there and never come back: their pictures stay empty." },
];

export const choiceOf = (lesson: Lesson): Choice => ({ ...FIRST, ...lesson.set });
