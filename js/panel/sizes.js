// How large the panel is in its node: before a search, with an error, with a search; and how wide.
export const [IDLE_HEIGHT, PROBLEM_HEIGHT, HEIGHT, WIDTH] = [64, 220, 540, 400];
