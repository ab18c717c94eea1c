/// A tokenizer: turns texts into the ids that a text tower reads.
///
/// Each kind equals the ids of one peer exactly; see ``TokenizerFolder`` for how the kind is chosen from the files of
/// a model folder.
public protocol Tokenizer: Sendable {
    /// The number of token ids: each id is below it.
    var vocabularySize: Int { get }
    /// The id that fills the rows of a batch.
    var padToken: Int { get }
    /// The settings that a model folder must keep besides the tokenizer's files.
    var manifest: TokenizerManifest { get }

    /// The ids of a text with the special tokens that begin and end it, at most `contextLength` of them.
    ///
    /// A longer text loses its last tokens, but not the special ones.
    func encode(_ text: String, contextLength: Int) -> (ids: [Int32], isTruncated: Bool)

    /// The special tokens whose names stand in a text, in the order of their places.
    ///
    /// They are read as those tokens, not as their characters, as the peers do. A text that ends early for a model, such
    /// as one with `<|endoftext|>` in it, has a vector of what stands before.
    func specialTokens(in text: String) -> [String]

    /// The vocabulary's spelling of a token; nil for an id that it does not have.
    func token(for id: Int32) -> String?

    /// The text that ids stand for, without special tokens. Ids that the vocabulary lacks are left out.
    func decode(_ ids: [Int32]) -> String

    /// Writes the tokenizer's files into a model folder, so that this package and Hugging Face's libraries read the
    /// same tokenizer back.
    ///
    /// - Parameter contextLength: the longest text that the model takes, in tokens with the special ones.
    /// - Throws: `.fileSystem`.
    func write(to folder: String, contextLength: Int) throws
}

extension Tokenizer {
    public var manifest: TokenizerManifest { TokenizerManifest(kind: .huggingFace) }

    /// The ids of a text with its special tokens, however long.
    public func encode(_ text: String) -> [Int32] { encode(text, contextLength: .max).ids }

    /// The ids of several texts as a matrix, padded to the longest of them.
    ///
    /// - Parameters:
    ///   - padsToContext: pads every row to `contextLength` instead, for models that read the padding (SigLIP).
    ///   - padToken: what fills the rows; nil takes the tokenizer's own.
    public func batch(
        _ texts: [String], contextLength: Int, padsToContext: Bool = false, padToken: Int? = nil
    ) -> TokenBatch {
        let rows = texts.map { encode($0, contextLength: contextLength) }
        return TokenBatch(
            rows: rows.map(\.ids), padToken: padToken ?? self.padToken, truncatedCount: rows.count { $0.isTruncated },
            minimumWidth: padsToContext ? contextLength : 0)
    }
}

/// The settings of a tokenizer that its files do not hold; a model folder keeps them, so that the tokenizer is the same
/// when read again.
public struct TokenizerManifest: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// CLIP's own tokenizer, which has two modes.
        case clip(CLIPTokenizer.Mode)
        case sentencePiece
        /// Another one that Hugging Face's files describe in full.
        case huggingFace
    }

    package var kind: Kind
    /// The cleaning of texts before the tokenizer sees them.
    package var cleaning: TextCleaning
    /// A token that becomes id 0; nil for none.
    package var strippedToken: Int32?

    package init(kind: Kind, cleaning: TextCleaning = .none, strippedToken: Int32? = nil) {
        self.kind = kind
        self.cleaning = cleaning
        self.strippedToken = strippedToken
    }

    /// The mode of CLIP's own tokenizer; nil for others.
    package var clipMode: CLIPTokenizer.Mode? { if case .clip(let mode) = kind { mode } else { nil } }
}

/// Tokenized captions as one matrix, as wide as the longest of them or wider.
public struct TokenBatch: Sendable, Hashable {
    /// Token ids `[batch, width]`, row by row; after a caption's end token comes padding.
    public let ids: [Int64]
    /// The number of ids of each row that are tokens, start and end included.
    public let lengths: [Int]
    /// The number of columns: the length of the longest row, or more where the model reads padding.
    public let width: Int
    /// The number of captions that were longer than the context and lost tokens.
    public let truncatedCount: Int

    /// Pads rows of ids to the longest one, and to `minimumWidth` columns at least.
    package init(rows: [[Int32]], padToken: Int, truncatedCount: Int, minimumWidth: Int = 0) {
        let width = rows.isEmpty ? 0 : max(minimumWidth, rows.map(\.count).max() ?? 0)
        var ids = [Int64](repeating: Int64(padToken), count: rows.count * width)
        for (row, tokens) in rows.enumerated() {
            for (column, token) in tokens.enumerated() { ids[row * width + column] = Int64(token) }
        }
        self.ids = ids
        self.width = width
        self.truncatedCount = truncatedCount
        lengths = rows.map(\.count)
    }
}
