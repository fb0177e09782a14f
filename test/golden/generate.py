"""Makes the golden folders of test/fixtures/golden that README.md there lists as made by this script: tiny random models,
and what Hugging Face transformers computes with them. Not part of the test run; needs torch, transformers, safetensors.

    python test/golden/generate.py [folder name ...]
"""

import json
import os
import sys
import tempfile

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "golden")
VOCAB = 64
SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "hidden_act": "silu",
    "initializer_range": 0.02,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "torch_dtype": "float32",
    "use_cache": True,
}

# Published (pre-5) config.json of each folder. Windows are shorter than the texts; yarn keeps two
# frequencies, blends one and divides one, and its betas are not the defaults.
MODELS = {
    "qwen3-qk-norm": {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        **SIZES,
        "head_dim": 6,
        "attention_bias": False,
        "tie_word_embeddings": True,
        "use_sliding_window": False,
        "sliding_window": None,
        "max_window_layers": 2,
    },
    "qwen2-window-yarn": {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        **SIZES,
        "rope_theta": 500.0,
        "use_sliding_window": True,
        "sliding_window": 7,
        "max_window_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "rope_scaling": {
            "type": "yarn",
            "factor": 4.0,
            "original_max_position_embeddings": 512,
            "beta_fast": 16,
            "beta_slow": 2,
        },
    },
    "mistral-window": {
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        **SIZES,
        "head_dim": 6,
        "sliding_window": 5,
    },
    "phi3-longrope": {
        "architectures": ["Phi3ForCausalLM"],
        "model_type": "phi3",
        **SIZES,
        "max_position_embeddings": 96,
        "original_max_position_embeddings": 24,
        "sliding_window": 9,
        "rope_scaling": {"type": "longrope", "short_factor": [1.0, 1.75], "long_factor": [1.5, 6.0]},
    },
    "smollm3-no-rope": {
        "architectures": ["SmolLM3ForCausalLM"],
        "model_type": "smollm3",
        **SIZES,
        "num_hidden_layers": 3,
        "no_rope_layer_interval": 2,
        "no_rope_layers": [1, 0, 1],
        "use_sliding_window": True,
        "sliding_window": 6,
        "tie_word_embeddings": True,
    },
}


def scaled(name, shape, tied, generator):
    """Nothing is hidden by a zero or a one, and small embeddings make eps matter."""
    noise = torch.randn(shape, generator=generator)
    if name.endswith("norm.weight"):
        return 1 + 0.2 * noise
    if name.endswith(".bias"):
        return 0.3 * noise
    if "embed_tokens" in name:
        return (0.3 if tied else 0.1) * noise
    return 0.4 * noise


def load(config):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    return model.float().eval()


def logprobs_of(model, ids, mask=None):
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return torch.log_softmax(logits[:, :-1].float(), -1).gather(-1, ids[:, 1:, None])[..., 0]


def case(model, name, lengths, generator, tensors):
    width = max(lengths)
    ids = torch.zeros(len(lengths), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.randint(3, VOCAB, (length,), generator=generator)
        ids[row, 0] = 1
        mask[row, :length] = 1
    with torch.no_grad():
        logprobs = logprobs_of(model, ids, mask)
    valid = mask[:, 1:].bool()
    logprobs = torch.where(valid, logprobs, torch.zeros(()))
    tensors[f"{name}.logprobs"] = logprobs
    return {
        "name": name,
        "lengths": lengths,
        "input_ids": ids.tolist(),
        "attention_mask": mask.tolist(),
        "logprobs": f"{name}.logprobs",
        "logprob_sums": logprobs.double().sum(1).tolist(),
    }


def gradient(model, of, generator, tensors):
    ids = torch.tensor(of["input_ids"])
    weights = torch.randn(ids.shape[1] - 1, generator=generator)
    weights[torch.rand(weights.shape, generator=generator) < 0.5] = 0
    model.zero_grad()
    loss = -(weights * logprobs_of(model, ids)[0]).sum()
    loss.backward()
    params = []
    for name, parameter in model.named_parameters():
        tensors[f"grad.{name}"] = parameter.grad
        params.append(name)
    return {"case": of["name"], "weights": weights.tolist(), "loss": loss.item(), "params": params}


def greedy(model, generator, count=2, new=12):
    """Prompts whose likeliest next tokens rounding cannot change, the same by generate() with its cache."""
    found = []
    while len(found) < count:
        prompt = [1, *torch.randint(3, VOCAB, (7,), generator=generator).tolist()]
        ids, leads = list(prompt), []
        with torch.no_grad():
            for _ in range(new):
                top = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].topk(2)
                leads.append((top.values[0] - top.values[1]).item())
                ids.append(top.indices[0].item())
            if min(leads) < 0.02:
                continue
            model.generation_config.eos_token_id = None
            cached = model.generate(torch.tensor([prompt]), max_new_tokens=new, do_sample=False)
        assert cached[0].tolist() == ids, "generate() disagrees"
        found.append({"prompt": prompt, "new_tokens": ids[len(prompt) :]})
    return found


def make(name, published):
    folder = os.path.join(ROOT, name)
    os.makedirs(folder, exist_ok=True)
    write = lambda file, value: open(os.path.join(folder, file), "w").write(value + "\n")
    write("config.json", json.dumps(published, indent=2))
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    model = load(AutoConfig.from_pretrained(folder))
    tied = published["tie_word_embeddings"]
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(scaled(key, parameter.shape, tied, generator))
    state = {key: value for key, value in model.state_dict().items() if not (tied and key == "lm_head.weight")}
    save_file({key: value.clone().contiguous() for key, value in state.items()}, os.path.join(folder, "model.safetensors"))

    model, info = AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32, output_loading_info=True
    )
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    model.eval()
    with tempfile.TemporaryDirectory() as saved:
        model.config.save_pretrained(saved)
        write("config.v5.json", open(os.path.join(saved, "config.json")).read().strip())

    tensors = {}
    cases = [
        case(model, "short", [7], generator, tensors),
        case(model, "medium", [24], generator, tensors),
        case(model, "batch", [20, 12, 5], generator, tensors),
    ]
    numbers = {
        "cases": cases,
        "grad": gradient(model, cases[1], generator, tensors),
        "greedy": greedy(model, generator),
    }
    if model.config.rope_parameters["rope_type"] == "longrope":
        # longer than the original length: transformers then takes the long factors for every position
        numbers["beyond"] = case(model, "beyond", [30], generator, tensors)
    save_file({key: value.contiguous() for key, value in tensors.items()}, os.path.join(folder, "cases.safetensors"))
    write("cases.json", json.dumps(numbers))
    double = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float64).eval()
    with torch.no_grad():
        exact = logprobs_of(double, torch.tensor(cases[1]["input_ids"]))
    noise = (exact - tensors["medium.logprobs"]).abs().max().item()
    size = sum(os.path.getsize(os.path.join(folder, file)) for file in os.listdir(folder))
    print(f"{name}: {size / 1000:.0f} kB, log-probabilities within {noise:.1e} of float64")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or MODELS:
        make(name, MODELS[name])
