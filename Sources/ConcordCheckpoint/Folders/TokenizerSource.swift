import ConcordCore
import ConcordText

/// The place of a model folder's tokenizer, and what is done to texts and ids besides.
public struct TokenizerSource: Sendable, Hashable {
    /// The folder of the tokenizer's files, which may lack them.
    public var folder: String
    /// The mode of CLIP's own tokenizer; other kinds have none.
    public var clipMode: CLIPTokenizer.Mode
    /// The cleaning that open_clip does before the tokenizer's own steps; nil leaves texts to the tokenizer.
    ///
    /// Nil for CLIP's own tokenizer in its usual form, whose mode includes it.
    public var cleaning: TextCleaning?
    /// Whether texts are put into lower case first (sentence-transformers' `do_lower_case`).
    public var lowercases = false
    /// Whether the separator after a text is replaced by id 0 (open_clip's `strip_sep_token`).
    public var stripsSeparator = false
    /// The hub name of the tokenizer, where the configuration gives one (open_clip's `hf_tokenizer_name`).
    public var name: String?

    public init(folder: String, clipMode: CLIPTokenizer.Mode = .huggingface) {
        self.folder = folder
        self.clipMode = clipMode
    }
}

extension TokenizerSource {
    /// Reads the members of an open_clip `text_cfg` that are the tokenizer's, as `get_tokenizer` of open_clip 3.3 does.
    ///
    /// - Throws: `.invalidConfiguration` for a setting that is not supported.
    init(openCLIP text: JSONFields, folder: String) throws(ConcordError) {
        self.init(folder: folder, clipMode: .openai)
        try text.refuse("tokenizer_mode", allowing: [""], "only the usual mode is supported")
        let options = try text.object("tokenizer_kwargs")
        let isOwn = (text["hf_tokenizer_name"]?.string ?? "").isEmpty
        try options.refuseUnknown(isOwn ? ["clean", "context_length"] : ["clean", "strip_sep_token"])
        let standard: TextCleaning = isOwn ? .lower : .whitespace
        let cleaning = try options.choice("clean", default: standard, among: TextCleaning.openCLIP)
        self.cleaning = isOwn && cleaning == standard ? nil : cleaning
        guard !isOwn else { return }
        // open_clip then goes through transformers' class.
        clipMode = .huggingface
        stripsSeparator = try options.boolean("strip_sep_token", default: false)
        name = text["hf_tokenizer_name"]?.string
        // A text tower may keep its tokenizer beside its own configuration, in a folder of its name within.
        let within = folder + "/" + (name ?? "")
        let isWithin = name.map { !$0.hasPrefix("/") && !$0.split(separator: "/").contains("..") } ?? false
        if isWithin, !Self.holdsTokenizer(folder), Self.holdsTokenizer(within) { self.folder = within }
    }

    private static func holdsTokenizer(_ folder: String) -> Bool {
        TokenizerFiles.vocabularies.contains { Files.exists(folder + "/" + $0) }
    }
}
