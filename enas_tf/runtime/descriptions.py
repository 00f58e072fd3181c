"""What the numbers of a run mean, in Markdown: TensorBoard shows it beside each chart."""

#: By phase and name, where a name means different things in different phases, else by name. Searchers describe what
#: they return themselves (`Searcher.metric_descriptions`).
_DESCRIPTIONS = {
    "search/loss": "Mean cross-entropy, in nats, of the children of this epoch's training steps, by shared weights.",
    "search/accuracy": "Share of training images that the children of this epoch's steps classify correctly, by shared "
    "weights. It is far below that of a trained child.",
    "search/perplexity": "Exponential of the loss, per token.",
    "search/gradient_norm": "Mean norm of the gradient of the shared weights, before clipping.",
    "search/learning_rate": "Mean learning rate of the shared weights in this epoch.",
    "controller/ahead_of_uniform": "Mean metric of eight proposals of the policy less that of eight uniform ones, by "
    "the same shared weights and one validation batch; above 0 where the policy's are better.",
    "controller/rewards_per_second": "Proposals judged per second.",
    "trial/valid_accuracy": "Share of the validation part that the trial classifies correctly, after its epochs.",
    "trial/valid_perplexity": "Perplexity of the trial on the validation part, after its epochs.",
    "trial/loss": "Mean training loss of the trial's last epoch, in nats.",
    "trial/reward": "What the searcher learns from: the metric, or a function of it; more is better.",
    "trial/epochs": "Budget of the trial, in epochs of training.",
    "trial/seconds": "How long the trial took, or what was left of it to train.",
    "trial/parameters": "Number of trainable parameters of the trial's child, at the searched size.",
    "trial/flops": "FLOPs of the trial's child, at the searched size.",
    "derive/best_reward": "Largest reward of the search: the mean of an epoch's proposals, or that of a trial.",
    "derive/num_candidates": "Number of different proposals that were ranked.",
    "derive/num_finalists": "Number of architectures that were trained from scratch in derive, controls among them.",
    "derive/mean_place_of_random": "Mean place of the random architectures among the finalists; 1 is the best.",
    "retrain/loss": "Mean cross-entropy on training data, in nats, with dropout and augmentation.",
    "retrain/accuracy": "Share of training images classified correctly, with dropout and augmentation.",
    "retrain/perplexity": "Exponential of the training loss, per token, with dropout.",
    "retrain/gradient_norm": "Mean norm of the gradient of the child's weights, before clipping.",
    "retrain/learning_rate": "Mean learning rate of the child in this epoch.",
    "retrain/is_averaging": "1 once what is validated is the average of the weights (NT-ASGD), else 0.",
    "test/loss": "Mean cross-entropy of the retrained child on the test part, in nats.",
    "test/accuracy": "Share of the test part that the retrained child classifies correctly.",
    "test/perplexity": "Perplexity of the retrained child on the test part, per token.",
    "test/parameters": "Number of trainable parameters of the retrained child.",
    "test/flops": "FLOPs of the retrained child per image or token; a multiply-add is two.",
    "valid_loss": "Mean cross-entropy on the validation part, in nats, in inference mode.",
    "valid_balanced_accuracy": "Mean over the classes of the share of their validation images classified correctly.",
    "balanced_accuracy": "Mean over the classes of the share of their test images classified correctly.",
    "valid_accuracy": "Share of the validation part classified correctly, in inference mode.",
    "valid_perplexity": "Perplexity on the validation part, per token, in inference mode.",
    "images_per_second": "Training images per second.",
    "tokens_per_second": "Training tokens per second.",
}
#: Beginnings of the names of what derive reports.
_RANKS = {"best_": "Best", "mean_": "Mean", "worst_": "Worst"}


def describe(phase: str, name: str) -> str | None:
    """Return what the number `name` of `phase` means; None for one that is not described here."""
    for start, rank in _RANKS.items():
        if phase == "derive" and name.startswith(start):
            return f"{rank} {name.removeprefix(start).replace('_', ' ')} of all candidates, by shared weights."
    return _DESCRIPTIONS.get(f"{phase}/{name}", _DESCRIPTIONS.get(name))
