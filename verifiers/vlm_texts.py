"""What vision-language models are asked. {prompt} stands for the prompt of the picture."""

from collections.abc import Sequence

QUESTION = 'Does this picture show "{prompt}"?'
YES_OR_NO = "Answer yes or no, with this one word only."
COMPARISON = (
    'Two pictures were made for this prompt: "{prompt}". Which of them is better: closer to the prompt, better made, with fewer mistakes?'
)
A_OR_B = "Answer with one letter only: A for the first picture, B for the second."
ASPECTS = """Accuracy to prompt: everything the prompt asks for is there, in the right number, colour and place, and nothing contradicts it.
Creativity and originality: the idea and its treatment are fresh rather than worn.
Visual quality and realism: sharp where it should be, well lit and composed, without artefacts, broken anatomy or garbled text.
Consistency and cohesion: all parts belong to one picture, in style, light, scale and perspective.
Emotional or thematic resonance: it conveys the mood or the meaning that the prompt is after."""
RUBRIC = """You judge a picture that was made for this prompt: "{prompt}".
Judge each of these aspects from 0 (worst) to 10 (best); use decimals, such as 6.5, where two pictures would differ:
{aspects}
For every aspect first explain in one or two sentences what you see, then give the score.
Answer with JSON only, in this form: {form}"""


def lines(text: str) -> list[str]:
    """Lines that say something, without bullets and numbers in front of them."""
    return [line for raw in text.splitlines() if (line := raw.strip().lstrip("-*•").strip())]


def about(text: str, prompt: str) -> str:
    """A text with the prompt in it; its quotes cannot end the quotation."""
    return text.replace("{prompt}", prompt.replace('"', "'"))


def rubric(aspects: Sequence[str], names: Sequence[str]) -> str:
    """What to ask for a score of every aspect; {prompt} is still to be filled in."""
    form = ", ".join(f'"{name}": {{"explanation": "…", "score": …}}' for name in names)
    return RUBRIC.replace("{aspects}", "\n".join(f"- {aspect}" for aspect in aspects)).replace("{form}", f"{{{form}}}")
