"""What vision-language models are asked. {prompt} stands for the prompt of the picture, or for the order to change
another one.
"""

from collections.abc import Sequence

QUESTION = 'Does this picture show "{prompt}"?'
YES_OR_NO = "Answer yes or no, with this one word only."
COMPARISON = (
    'Two pictures were made for this prompt: "{prompt}". Which of them is better: closer to the prompt, better made,'
    " with fewer mistakes?"
)
A_OR_B = "Answer with one letter only: A for the first picture, B for the second."
ASPECTS = """Accuracy to prompt: everything the prompt asks for is there, in the right number, colour and place, and \
nothing contradicts it.
Creativity and originality: the idea and its treatment are fresh rather than worn.
Visual quality and realism: sharp where it should be, well lit and composed, without artefacts, broken anatomy or \
garbled text.
Consistency and cohesion: all parts belong to one picture, in style, light, scale and perspective.
Emotional or thematic resonance: it conveys the mood or the meaning that the prompt is after."""
BEFORE = "The first picture is what was there before. The second one is what became of it."
DONE = 'The order was: "{prompt}". Does the second picture show it carried out?'
KEPT = (
    'The order was: "{prompt}". Apart from what it asks for, is the second picture the same as the first: people,'
    " things, places, light and style?"
)
COMPARISON_AFTER = (
    'The first picture was to be changed. The order was: "{prompt}". The second and the third one are two results.'
    " Which of them is better: the order carried out, all else kept, with fewer mistakes?"
)
A_OR_B_AFTER = "Answer with one letter only: A for the second picture, B for the third."
ASPECTS_AFTER = """Order carried out: all that the order asks for was done, and nothing beyond it.
Rest kept: people, things, places, light and style that the order does not concern are those of the first picture.
Visual quality and realism: no seams, no artefacts, no broken anatomy or garbled text where it was changed."""
RUBRIC = """You judge a picture that was made for this prompt: "{prompt}".
Judge each of these aspects from 0 (worst) to 10 (best); use decimals, such as 6.5, where two pictures would differ:
{aspects}
For every aspect first explain in one or two sentences what you see, then give the score.
Answer with JSON only, in this form: {form}"""
RUBRIC_AFTER = RUBRIC.replace(
    'You judge a picture that was made for this prompt: "{prompt}".',
    f'{BEFORE} You judge the second one. The order was: "{{prompt}}".',
)


def lines(text: str) -> list[str]:
    """Lines that say something, without bullets and numbers in front of them."""
    return [line for raw in text.splitlines() if (line := raw.strip().lstrip("-*•").strip())]


def about(text: str, prompt: str) -> str:
    """A text with the prompt in it; its quotes cannot end the quotation."""
    return text.replace("{prompt}", prompt.replace('"', "'"))


def comparison(after: bool) -> str:
    """What is asked of two pictures; `after` one that is shown as well."""
    return COMPARISON_AFTER if after else COMPARISON


def rubric(aspects: Sequence[str], names: Sequence[str], after: bool = False) -> str:
    """What to ask for a score of every aspect; {prompt} is still to be filled in.

    Args:
        after: Whether the picture before is shown as well.
    """
    form = ", ".join(f'"{name}": {{"explanation": "…", "score": …}}' for name in names)
    text = RUBRIC_AFTER if after else RUBRIC
    return text.replace("{aspects}", "\n".join(f"- {aspect}" for aspect in aspects)).replace("{form}", f"{{{form}}}")
