import ConcordCore

extension GenerationOptions {
    /// Checks what does not depend on a model.
    ///
    /// - Throws: `.invalidArgument` that names the first option with an impossible value, the value, and what would do.
    public func validate() throws(ConcordError) {
        try Self.require(maxTokens > 0, "maxTokens is \(maxTokens); ask for 1 token at least")
        try Self.require(
            (0...maxTokens).contains(minTokens),
            "minTokens is \(minTokens); it is between 0 and maxTokens, which is \(maxTokens)")
        try Self.require(
            (1...Self.mostRows).contains(resultCount),
            "resultCount is \(resultCount); ask for 1 result at least and \(Self.mostRows) at most")
        try Self.require(
            repetitionPenalty > 0 && repetitionPenalty.isFinite,
            "repetitionPenalty is \(repetitionPenalty); it is above 0, and 1 changes nothing")
        if let allowedTokens {
            try Self.require(
                !allowedTokens.isEmpty, "allowedTokens is empty; name the tokens that may come, or nil for all")
        }
        switch strategy {
        case .greedy:
            try Self.require(
                resultCount == 1,
                "resultCount is \(resultCount), but the greedy strategy has one result; sample, or search with beams")
        case .sample(let temperature, let topK, let topP, _):
            try Self.require(
                temperature > 0 && temperature.isFinite,
                "temperature is \(temperature); it is above 0, and the greedy strategy takes the most probable token")
            if let topK { try Self.require(topK > 0, "topK is \(topK); keep 1 token at least, or nil for all") }
            try Self.require(topP > 0 && topP <= 1, "topP is \(topP); it is above 0 and at most 1, which keeps all")
        case .beam(let width, let groups, let diversityPenalty, let lengthPenalty):
            try Self.require(width > 0, "a search with \(width) beams finds nothing; use 1 beam at least")
            try Self.require(width <= Self.mostRows, "\(width) beams are too many; use \(Self.mostRows) at most")
            try Self.require(
                resultCount <= width, "resultCount is \(resultCount), more than the \(width) beams of the search")
            try Self.require(groups > 0, "\(groups) groups of beams; use 1 group at least")
            try Self.require(
                width % groups == 0,
                "\(width) beams do not divide into \(groups) groups of equal size; use a multiple of \(groups)")
            try Self.require(
                diversityPenalty >= 0 && diversityPenalty.isFinite,
                "diversityPenalty is \(diversityPenalty); it is 0 or above")
            try Self.require(
                groups == 1 || diversityPenalty > 0,
                "\(groups) groups of beams without a diversityPenalty would all find the same; give one above 0")
            try Self.require(
                lengthPenalty.isFinite, "lengthPenalty is \(lengthPenalty); it is a finite number, as a rule near 1")
        }
    }

    /// Checks the options and a prompt against a model.
    ///
    /// - Parameters:
    ///   - prompt: the tokens that the model reads first, the start token included.
    ///   - vocabularySize: the number of the model's tokens.
    ///   - contextLength: the most tokens that the model was made for, prompt and new ones together.
    ///   - padToken: the token that the model takes for padding, if any.
    /// - Throws: `.invalidArgument` with the numbers that do not fit.
    public func validate(
        prompt: [Int32], vocabularySize: Int, contextLength: Int, padToken: Int32? = nil
    ) throws(ConcordError) {
        try validate()
        try Self.require(
            !prompt.isEmpty, "the prompt is empty; it has one token at least, as a rule the one that starts a text")
        try Self.require(
            prompt.count < contextLength,
            "a prompt of \(prompt.count) tokens leaves no room in the context of \(contextLength); shorten it")
        try Self.require(
            maxTokens <= contextLength - prompt.count,
            "a prompt of \(prompt.count) tokens and \(maxTokens) new ones do not fit the context of \(contextLength) tokens "
                + "that the model was made for; ask for \(contextLength - prompt.count) new ones at most")
        func check(_ tokens: some Sequence<Int32>, _ name: String) throws(ConcordError) {
            guard let token = tokens.first(where: { $0 < 0 || $0 >= vocabularySize }) else { return }
            throw ConcordError(
                .invalidArgument,
                "\(name) has token \(token), which is outside the vocabulary of \(vocabularySize)")
        }
        try check(prompt, "the prompt")
        if let stopTokens { try check(stopTokens, "stopTokens") }
        if let padToken {
            try Self.require(
                !prompt.contains(padToken),
                "the prompt has token \(padToken), which the model takes for padding; word it without")
            try Self.require(
                stopTokens?.contains(padToken) != true,
                "stopTokens has token \(padToken), which is the model's padding and never comes")
        }
        // The lowest one, so that the message is the same each time.
        if let allowedTokens { try check(allowedTokens.sorted(), "allowedTokens") }
    }

    /// The most sequences that one request may keep at a time.
    private static let mostRows = 1024

    private static func require(_ holds: Bool, _ message: String) throws(ConcordError) {
        guard holds else { throw ConcordError(.invalidArgument, message) }
    }
}
