import ConcordCore

/// Finds the key that an unknown one may have meant.
enum RecipeKeyNames {
    /// What other programs call a key, by the last part of its path: open_clip's and transformers' options, and common
    /// short forms. Initials (`lr` for `learning_rate`) need no entry.
    static let aliases: [String: String] = [
        "accelerator": "train.device", "adam_beta1": "train.beta1", "adam_beta2": "train.beta2",
        "adam_epsilon": "train.epsilon", "amp": "train.precision", "batch": "train.batch_size", "betas": "train.beta1",
        "bf16": "train.precision", "caption_key": "data.caption_columns", "captions": "data.caption_columns",
        "clip_grad": "train.gradient_clip", "context": "model.text.context_length",
        "csv_caption_key": "data.caption_columns",
        "csv_img_key": "data.image_column", "csv_separator": "data.separator", "data_dir": "data.folder",
        "dataloader_num_workers": "data.workers", "dataset": "data.folder", "delimiter": "data.separator",
        "dtype": "train.precision", "embed_dim": "model.projection_width", "eps": "train.epsilon",
        "fp16": "train.precision",
        "gpu": "train.device", "grad_checkpointing": "train.activation_checkpointing",
        "grad_clip": "train.gradient_clip",
        "grad_clip_norm": "train.gradient_clip", "gradient_checkpointing": "train.activation_checkpointing",
        "image_key": "data.image_column", "img_key": "data.image_column", "language": "data.languages",
        "logging_steps": "train.log_every", "lr_scheduler": "train.schedule", "lr_scheduler_type": "train.schedule",
        "max_grad_norm": "train.gradient_clip", "max_length": "model.text.context_length", "n_epochs": "train.epochs",
        "num_epochs": "train.epochs", "num_threads": "train.threads", "num_train_epochs": "train.epochs",
        "num_workers": "data.workers", "path": "data.folder", "per_device_train_batch_size": "train.batch_size",
        "pretrained": "model.start", "resolution": "model.image_size", "root": "data.folder",
        "save_steps": "train.checkpoint_every", "save_total_limit": "train.checkpoints_kept", "sep": "data.separator",
        "vocab_size": "tokenizer.vocabulary_size", "warmup": "train.warmup_steps",
    ]

    /// The known key that is most likely meant; nil where none is near.
    static func suggestion(for key: String, among known: Set<String>) -> String? {
        let parts = key.split(separator: "."), name = String(parts.last ?? "")
        let section = parts.count > 1 ? String(parts[0]) : nil
        /// The best of several keys that share a name: that of the same section first.
        func best(_ keys: [String]) -> String? {
            keys.min { a, b in
                let (inA, inB) = (a.hasPrefix((section ?? "") + "."), b.hasPrefix((section ?? "") + "."))
                return inA == inB ? a < b : inA
            }
        }
        func last(_ key: String) -> Substring {
            key[(key.lastIndex(of: ".").map(key.index(after:)) ?? key.startIndex)...]
        }
        func initials(_ key: String) -> String { String(last(key).split(separator: "_").compactMap(\.first)) }
        let plain = name.lowercased().map { $0 == "-" ? "_" : $0 }
        if let same = best(known.filter { last($0).elementsEqual(plain) }) { return same }
        if let alias = aliases[String(plain)], known.contains(alias) { return alias }
        // A letter alone says too little.
        if name.count > 1, let short = best(known.filter { initials($0) == name }) { return short }
        return NearestName.suggestion(for: key, among: known)
            ?? best(known.filter { NearestName.suggestion(for: name, among: [String(last($0))]) != nil })
    }
}
