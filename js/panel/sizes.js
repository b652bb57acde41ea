// How large the panel is in its node: before a search, with one, and how wide.
export const [IDLE_HEIGHT, HEIGHT, WIDTH] = [64, 540, 400];
