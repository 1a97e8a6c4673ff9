"""Language models in this process: a GGUF file through llama.cpp, a folder or an ID through transformers."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from rag.backends.language_errors import Place, missing, too_long
from rag.errors import ModelUnavailable

# llama.cpp sets aside memory for the whole window, and many models state more than a machine has.
MOST_UNASKED = 32_768


class LlamaCppEngine:
    """A GGUF file; one reply at a time."""

    def __init__(self, path: str, context: int) -> None:
        file = Path(path).expanduser()
        if not file.is_file():
            raise ModelUnavailable(f"There is no file {file}.", hint="Name a GGUF file: llamacpp/FOLDER/MODEL.gguf")
        try:
            from llama_index.llms.llama_cpp import LlamaCPP
        except ModuleNotFoundError as error:
            raise missing("llamacpp", error) from error
        self.place = Place(f"llamacpp/{path}")
        try:
            window = context or min(_trained_window(file), MOST_UNASKED)
            self._llm = LlamaCPP(
                model_path=str(file), temperature=0.0, context_window=window, model_kwargs={}, verbose=False
            )
        except (ValueError, RuntimeError, AssertionError) as error:
            raise ModelUnavailable(
                f"{file} does not load: {error}", hint="See that it is a whole GGUF file."
            ) from error
        self._llama: Any = self._llm._model
        template = self._llama.metadata.get("tokenizer.chat_template")
        if template:
            self._llm.messages_to_prompt = self._by_template(template)
        self._turn = threading.Lock()

    def context(self) -> int:
        """The window that llama.cpp opened."""
        return int(self._llama.n_ctx())

    def count_tokens(self, text: str) -> int:
        """The tokens by the file's own vocabulary."""
        return len(self._llama.tokenize(text.encode("utf-8", "replace"), add_bos=False, special=True))

    def replies(self, messages: Sequence[Any], max_tokens: int, context: int) -> Generator[str]:
        """The pieces, as they are made; the next reply begins when this one is closed."""
        prompt_tokens = self.count_tokens(self._llm.messages_to_prompt(messages)) + 1
        if prompt_tokens >= context:
            raise too_long(self.place, prompt_tokens, context)
        options = {**self._llm.generate_kwargs, "max_tokens": min(max_tokens, context - prompt_tokens)}
        llm = self._llm.model_copy(update={"generate_kwargs": options})
        with self._turn:
            for response in llm.stream_chat(messages):
                yield response.delta or ""

    def probe(self) -> str:
        """It is loaded, or it would not be here."""
        return f"loaded, {self.context():,} tokens"

    def _by_template(self, template: str) -> Any:
        """The file's own chat template; llama.cpp adds the mark of beginning itself."""
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        begin, end = (
            self._llama._model.token_get_text(token) if token >= 0 else ""
            for token in (self._llama.token_bos(), self._llama.token_eos())
        )
        formatter: Any = Jinja2ChatFormatter(template=template, eos_token=end, bos_token=begin)

        def prompt(messages: Sequence[Any]) -> str:
            said = [{"role": message.role.value, "content": message.content or ""} for message in messages]
            return str(formatter(messages=said).prompt).removeprefix(begin)

        return prompt


def _trained_window(file: Path) -> int:
    """The window that a GGUF file states, read without its weights; 0 where it states none."""
    import llama_cpp

    options = llama_cpp.llama_model_default_params()
    options.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(str(file).encode(), options)
    if not model:
        raise ValueError("its header cannot be read")
    try:
        family = _header_text(model, "general.architecture")
        return int(_header_text(model, f"{family}.context_length") or 0)
    finally:
        llama_cpp.llama_model_free(model)


def _header_text(model: Any, key: str) -> str:
    import llama_cpp

    room = ctypes.create_string_buffer(64)
    llama_cpp.llama_model_meta_val_str(model, key.encode(), room, len(room))
    return room.value.decode("utf-8", "replace")


class TransformersEngine:
    """A causal language model of transformers'; one reply at a time. A folder never reaches for a hub."""

    def __init__(self, name: str) -> None:
        folder = Path(name).expanduser()
        if not folder.is_dir() and (name.startswith((".", "/", "~")) or name.count("/") != 1):
            raise ModelUnavailable(f"There is no folder {folder}.", hint="Name a folder, or an ID such as OWNER/NAME")
        try:
            from llama_index.llms.huggingface import HuggingFaceLLM
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ModuleNotFoundError as error:
            raise missing("transformers", error) from error
        self.place = Place(f"transformers/{name}")
        where: Any = str(folder) if folder.is_dir() else name
        # token=False: no token file is read; safetensors only, for a pickle can run code.
        options: dict[str, Any] = {"local_files_only": folder.is_dir(), "token": False}
        try:
            self._model = AutoModelForCausalLM.from_pretrained(where, use_safetensors=True, **options)
            self._tokenizer = AutoTokenizer.from_pretrained(where, **options)
        except (OSError, ValueError, ImportError) as error:
            text = " ".join(str(error).split())[:300]
            raise ModelUnavailable(
                f"transformers/{name} does not load: {text}", hint="See that it is whole."
            ) from error
        self._wrapper = HuggingFaceLLM
        self._turn = threading.Lock()

    def context(self) -> int | None:
        """What the model's configuration states."""
        stated = getattr(self._model.config, "max_position_embeddings", None)
        return int(stated) if stated else None

    def count_tokens(self, text: str) -> int:
        """The tokens by the model's own tokenizer."""
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def replies(self, messages: Sequence[Any], max_tokens: int, context: int) -> Generator[str]:
        """The pieces, as they are made; the next reply begins when this one is closed."""
        with self._turn:
            run = _Run(self._model)
            llm = self._wrapper(
                context_window=context,
                max_new_tokens=max_tokens,
                model=run,
                tokenizer=self._tokenizer,
                generate_kwargs={"do_sample": False},
                messages_to_prompt=self._prompt,
            )
            prompt_tokens = len(self._tokenizer(self._prompt(messages), verbose=False)["input_ids"])
            if prompt_tokens >= context:
                raise too_long(self.place, prompt_tokens, context)
            llm.max_new_tokens = min(max_tokens, context - prompt_tokens)
            try:
                for response in llm.stream_chat(messages):
                    yield response.delta or ""
            finally:
                run.stop()
            if run.error is not None:
                raise run.error

    def probe(self) -> str:
        """It is loaded, or it would not be here."""
        return f"loaded, {self._model.num_parameters():,} parameters"

    def _prompt(self, messages: Sequence[Any]) -> str:
        """The tokenizer's own chat template where it has one, else a plain one."""
        from llama_index.core.base.llms.generic_utils import messages_to_prompt

        if not self._tokenizer.chat_template:
            return messages_to_prompt(messages)
        said = [{"role": message.role.value, "content": message.content or ""} for message in messages]
        text = self._tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
        return str(text).removeprefix(self._tokenizer.bos_token or "")


class _Run:
    """A model for one reply: it can be stopped, and what goes wrong in its thread is kept and ends the reply.

    llama-index runs `generate` in a thread of its own and waits for its pieces without end.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._stopped = threading.Event()
        self._ended = threading.Event()
        self._begun = False
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(self, *, streamer: Any, stopping_criteria: Any, **options: Any) -> None:
        """Write a reply into the streamer until it is stopped."""
        from transformers import StoppingCriteria, StoppingCriteriaList

        stopped = self._stopped

        class Stopped(StoppingCriteria):
            def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - theirs
                import torch

                return torch.full((input_ids.shape[0],), stopped.is_set(), device=input_ids.device, dtype=torch.bool)

        self._begun = True
        criteria = StoppingCriteriaList([*stopping_criteria, Stopped()])
        try:
            self._model.generate(streamer=streamer, stopping_criteria=criteria, **options)
        except Exception as error:  # noqa: BLE001 - raised again by the thread that reads the pieces
            self.error = error
            streamer.end()
        finally:
            self._ended.set()

    def stop(self) -> None:
        """End the reply, and wait until the model is at rest."""
        self._stopped.set()
        if self._begun:
            self._ended.wait()
