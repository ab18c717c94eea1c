import ConcordCore

extension Recipe {
    /// Throws `.invalidConfiguration` for sections that contradict each other.
    func validate(source: String) throws(ConcordError) {
        try model.validate(source: source)
        func fail(_ problem: String) -> ConcordError {
            ConcordError(.invalidConfiguration, "\(source): \(problem)")
        }
        if model.loads(.text), let key = tokenizer.given.first {
            throw fail("\(key) cannot be given beside a loaded text tower, which brings its tokenizer; leave it out")
        }
        for tower in Tower.allCases {
            let lock = tower == .image ? train.lockImage : train.lockText
            let key = tower == .image ? "train.lock_image" : "train.lock_text"
            let folders = "name model.start or model.\(tower.rawValue)_tower"
            guard lock == .none || model.loads(tower) else {
                throw fail("\(key) locks \(tower.rawValue) weights that are drawn at random; \(folders)")
            }
            guard train.adapters.rank > 0, train.adapters.towers.contains(tower) else { continue }
            guard model.loads(tower) else {
                throw fail(
                    "train.lora adapts \(tower.rawValue) weights that are drawn at random; \(folders), or name the "
                        + "other tower alone in train.lora.towers")
            }
            guard lock == .none else {
                throw fail(
                    "\(key) and train.lora.towers name the same tower; an adapted tower keeps its weights anyway, so "
                        + "leave \(key) out, or the tower out of train.lora.towers")
            }
        }
    }
}
