import ConcordCore
import ConcordTestSupport
import ConcordText
import Testing

/// Tokenizer files that hold something else, and marks in front of those that do not.
@Suite struct ForeignTokenizerTests {
    private static let pointer =
        "version https://git-lfs.github.com/spec/v1\noid sha256:a63082132ba4f97a80bea76823f544493bffa80\nsize 798293\n"

    @Test(arguments: ["tokenizer.json", "vocab.txt", "spiece.model", "vocab.json", "merges.txt"])
    func aPointerOrPageIsNamed(_ name: String) throws {
        for (content, message) in [
            (Self.pointer, "is a Git LFS pointer to a file of 798.3 kB"), ("<html>", "is an HTML page"),
        ] {
            let folder = try TemporaryFolder()
            if name == "vocab.json" || name == "merges.txt" {
                for file in ["vocab.json", "merges.txt"] {
                    try folder.write(file, try Files.read(Golden.folder + "/" + file))
                }
            }
            try folder.write(name, content)
            let error = #expect(throws: ConcordError.self) { try TokenizerFolder.load(folder.path) }
            #expect(error?.code == .invalidTokenizer)
            #expect(error?.message.contains("/\(name) \(message)") == true, "\(error?.message ?? "")")
        }
    }

    @Test func aByteOrderMarkIsPassedOver() throws {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF], source = Golden.tokenizerFolder("wordpiece-uncased")
        let original = try TokenizerFolder.load(source).encode("a red cat")
        for name in ["vocab.txt", "tokenizer.json"] {
            let folder = try TemporaryFolder()
            try folder.write(name, mark + Files.read(source + "/" + name))
            try folder.write("tokenizer_config.json", mark + Array(#"{"tokenizer_class": "BertTokenizer"}"#.utf8))
            #expect(try TokenizerFolder.load(folder.path).encode("a red cat") == original)
        }
        let folder = try TemporaryFolder(), clip = Golden.folder
        for name in ["vocab.json", "merges.txt"] { try folder.write(name, mark + Files.read(clip + "/" + name)) }
        #expect(
            try TokenizerFolder.load(folder.path).encode("a red cat")
                == CLIPTokenizer(folder: clip, mode: .huggingface).encode("a red cat"))
    }

    /// Names of special tokens in a text are read as the tokens, as the peers do; who types one can be told.
    @Test(arguments: [
        ("wordpiece-uncased", "a [SEP] b [MASK]", ["[SEP]", "[MASK]"]), ("wordpiece-uncased", "a [sep] b", []),
        ("roberta", "x</s>y", ["</s>"]), ("gemma", "<bos>x", ["<bos>"]), ("siglip", "a</s> b", ["</s>"]),
        ("t5", "x </s>", ["</s>"]), ("siglip", "a < b > c", []),
    ])
    func typedSpecialTokensAreFound(_ kind: String, _ text: String, _ names: [String]) throws {
        let tokenizer = try TokenizerFolder.load(Golden.tokenizerFolder(kind))
        #expect(tokenizer.specialTokens(in: text) == names)
        // They are in the ids, too.
        let ids = tokenizer.encode(text)
        for name in names { #expect(ids.contains { tokenizer.token(for: $0) == name }) }
        #expect(CleaningTokenizer(tokenizer, cleaning: .whitespace).specialTokens(in: text) == names)
    }

    @Test func typedSpecialTokensOfCLIPAreFound() throws {
        let folder = Golden.folder, text = "cat <|endoftext|> dog <start_of_text>"
        let huggingFace = try CLIPTokenizer(folder: folder, mode: .huggingface)
        #expect(huggingFace.specialTokens(in: text) == ["<|endoftext|>"])
        #expect(huggingFace.encode(text).count { Int($0) == huggingFace.endToken } == 2)
        // open_clip has other names for them.
        let openAI = try CLIPTokenizer(folder: folder, mode: .openai)
        #expect(openAI.specialTokens(in: text) == ["<start_of_text>"])
        #expect(openAI.encode(text).count { Int($0) == openAI.startToken } == 2)
        #expect(huggingFace.specialTokens(in: "a < cat > and |endoftext|").isEmpty)
    }
}
