import Checkpoints
import FoundationEssentials
import Kernels
import Messages
import Platform
import Recipes
import Training

/// All that a report tells of one run, read from its folder. What is missing is empty; what cannot be read is said in
/// `remarks`.
struct ReportedRun: Sendable {
    /// A saved step as far as it was looked at.
    struct SavedStep: Sendable {
        let name: String
        let bytes: Int?
        /// Nil for a damaged one.
        let state: RunState?
        let parameters: Int?
        /// Every byte was compared with its checksum.
        let isVerified: Bool
        let problem: String?
    }

    /// An image of the folder `images`, newest first.
    struct Image: Sendable {
        let name: String
        /// Empty for one that is too large to be put into a page, or no PNG.
        let bytes: [UInt8]
        let problem: String?
    }

    /// As a person named it.
    let path: String
    /// Tells the runs of one report apart.
    let name: String
    private(set) var metrics = MetricsLog()
    private(set) var recipe: RecipeNode?
    private(set) var recipeText = ""
    private(set) var environment: JSON.Members = [:]
    private(set) var savedSteps: [SavedStep] = []
    private(set) var images: [Image] = []
    /// Inspection of the layers of the newest step that has one.
    private(set) var layers: (inspection: LayerInspection, images: [Image])?
    private(set) var cards: [EvaluationCard] = []
    /// Steps whose gradient was not finite, with what was going on.
    private(set) var captures: [(step: Int, facts: JSON)] = []
    /// Steps that the run went on after, having been interrupted.
    private(set) var resumedAfter: [Int] = []
    /// When its first part began, seconds since 1970.
    private(set) var startSeconds: Int?
    private(set) var remarks: [String] = []

    /// When the folder was read, seconds since 1970.
    private let readSeconds: Double

    private static let (mostImages, largestImageBytes) = (4, 8 << 20)
    private static let marks = ["metrics.jsonl", "resolved.yaml", "environment.json"]

    /// - Parameters:
    ///   - now: seconds since 1970.
    ///   - verifying: told the bytes read and the bytes of all while checksums are compared; nil compares none.
    init(
        _ path: String, name: String, now: Double, verifying: ((_ done: Int, _ total: Int) -> Void)?
    ) throws(CheckpointError) {
        self.path = path
        self.name = name
        readSeconds = now
        try Self.checkIsRun(path)
        readRecipe()
        metrics = attempt("metrics.jsonl", else: metrics) { try MetricsLog($0) }
        if metrics.otherLines > 0 {
            let lines =
                metrics.otherLines == 1
                ? "1 line is no record and was" : "\(metrics.otherLines) lines are no records and were"
            remarks.append("\(path)/metrics.jsonl: \(lines) skipped")
        }
        environment = attempt("environment.json", else: [:]) { try Self.json($0).object ?? [:] }
        savedSteps = attempt("checkpoints", else: []) { try Self.savedSteps($0, verifying) }
        images = attempt("images", else: []) { try Self.images(Folder($0)) }
        layers = attempt("layers", else: nil) { path in
            try LayerInspection.newest(in: path).map { found in
                (found, found.files.filter { $0.hasSuffix(".png") }.map { Self.image($0, in: path) })
            }
        }
        readCards()
        readCaptures()
        readEvents()
    }

    /// A value of the recipe as it is written there; nil where there is none.
    func setting(_ key: String) -> String? { recipe?.value(at: key)?.plainText }

    /// How far it was when its folder was read.
    var standing: RunStanding { RunStanding(self, now: readSeconds) }

    /// The name of the recipe's file, as far as the command that started the run tells it.
    var recipeName: String? {
        let words = environment["command"]?.strings ?? []
        let file = words.first { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }
        return file.flatMap { $0.split(separator: "/").last?.split(separator: ".").dropLast().joined(separator: ".") }
    }

    /// The state in the newest checkpoint that is not damaged.
    var newestState: RunState? { savedSteps.last { $0.state != nil }?.state }

    private static func checkIsRun(_ path: String) throws(CheckpointError) {
        let expected = "the folder of a run"
        guard let status = FileStatus(path, followingLinks: true) else {
            throw CheckpointError(.unreadable, at: path, found: "no such file or folder", expected: expected)
        }
        guard status.isFolder else { throw CheckpointError(.mismatched, at: path, found: "a file", expected: expected) }
        func isRun(_ path: String) -> Bool { marks.contains { FileStatus(path + "/" + $0) != nil } }
        guard !isRun(path) else { return }
        let inner = ((try? Folder(path).names()) ?? []).map { path + "/" + $0 }.filter(isRun)
        let hint =
            inner.isEmpty
            ? "'lacuna pretrain RECIPE --run FOLDER' makes one"
            : "runs in it: " + inner.prefix(5).joined(separator: ", ") + (inner.count > 5 ? ", …" : "")
        throw CheckpointError(
            .mismatched, at: path, found: "none of " + marks.joined(separator: ", "), expected: expected, hint: hint)
    }

    /// Reads a part; one that fails leaves the others.
    private mutating func attempt<Value>(
        _ part: String, else missing: Value, _ read: (_ path: String) throws -> Value
    ) -> Value {
        let place = path + "/" + part
        guard FileStatus(place, followingLinks: true) != nil else { return missing }
        do { return try read(place) } catch {
            remarks.append("\(error)")
            return missing
        }
    }

    private mutating func readRecipe() {
        // The one that was run last; before its first step a run has the other only.
        for name in ["resolved.yaml", "recipe.yaml"] where recipeText.isEmpty {
            recipeText = attempt(name, else: "") { path in
                String(decoding: try InputFile.contents(path, limit: Recipe.largestBytes).array, as: UTF8.self)
            }
            let text = recipeText
            guard !text.isEmpty else { continue }
            recipe = attempt(name, else: nil) { path in
                try YAMLReader.read(text) { .file(path, line: $0, column: $1) }.upgradedIfSaved()
            }
        }
    }

    private mutating func readCards() {
        let folder = Folder(EvaluationCard.folder(of: path))
        for name in (try? folder.names()) ?? [] where name.hasSuffix(".json") {
            do { cards.append(try EvaluationCard.read(folder.path(of: name))) } catch { remarks.append("\(error)") }
        }
        cards.sort { ($0.name, $0.step ?? 0, $0.date) < ($1.name, $1.step ?? 0, $1.date) }
    }

    private mutating func readCaptures() {
        let folder = Folder(path + "/captures")
        for name in (try? folder.names()) ?? [] where name.hasSuffix(".json") {
            let facts = attempt("captures/" + name, else: JSON.null) { try Self.json($0) }
            if let step = facts["step"]?.integer { captures.append((step, facts)) }
        }
        captures.sort { $0.step < $1.step }
    }

    private mutating func readEvents() {
        let folder = Folder(path)
        let names = ((try? folder.names()) ?? []).filter { $0.hasPrefix("events.out.tfevents.") }
        let starts = names.compactMap { Int($0.split(separator: ".").dropFirst(3).first ?? "") }
        // A time beyond the year 5000 is no time.
        startSeconds = starts.filter { (0..<100_000_000_000).contains($0) }.min()
        resumedAfter = Set(names.compactMap { TensorBoardFile.resumedStep(folder.path(of: $0)).map { $0 - 1 } })
            .sorted()
    }

    private static func json(_ path: String) throws -> JSON {
        let bytes = try InputFile.contents(path, limit: 16 << 20).array
        do { return try JSON(String(decoding: bytes, as: UTF8.self)) } catch {
            throw CheckpointError(.corrupt, at: path, found: "no JSON", expected: "what the run wrote there")
        }
    }

    /// Ascending. A run in progress removes old ones meanwhile.
    private static func savedSteps(_ folder: String, _ verifying: ((Int, Int) -> Void)?) throws -> [SavedStep] {
        let folders = try CheckpointStore(folder).folders()
        let opened = folders.map { path in Result { try Checkpoint(path) } }
        let total = opened.reduce(0) { $0 + ((try? $1.get().totalBytes) ?? 0) }
        var done = 0
        return zip(folders, opened).compactMap { path, result in
            let name = String(path.split(separator: "/").last ?? "")
            do {
                let checkpoint = try result.get()
                let damages = verifying.map { tell in
                    checkpoint.damages { bytes in
                        done += bytes
                        tell(done, total)
                    }
                }
                let tensors = try? checkpoint.open(.model).tensors
                return SavedStep(
                    name: name, bytes: checkpoint.totalBytes, state: checkpoint.state,
                    parameters: tensors?.reduce(0) { $0 + ($1.kind.isFloating ? $1.count : 0) },
                    isVerified: damages?.isEmpty == true, problem: damages?.first.map { "\($0)" })
            } catch {
                guard FileStatus(path) != nil else { return nil }
                return SavedStep(
                    name: name, bytes: nil, state: nil, parameters: nil, isVerified: false, problem: "\(error)")
            }
        }
    }

    private static func images(_ folder: Folder) throws -> [Image] {
        let found = try folder.names().filter { $0.hasSuffix(".png") }.compactMap { name in
            FileStatus(folder.path(of: name), followingLinks: true).map { (name: name, status: $0) }
        }
        let newest = found.filter(\.status.isFile).sorted {
            ($0.status.modified, $0.name) > ($1.status.modified, $1.name)
        }
        return newest.prefix(mostImages).map { image($0.name, in: folder.path) }
    }

    private static func image(_ name: String, in folder: String) -> Image {
        let path = folder + "/" + name
        guard let status = FileStatus(path, followingLinks: true), status.bytes <= largestImageBytes else {
            return Image(name: name, bytes: [], problem: "too large to be put here, or gone")
        }
        do {
            let bytes = try InputFile.contents(path, limit: largestImageBytes).array
            let isPNG = bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
            return Image(name: name, bytes: isPNG ? bytes : [], problem: isPNG ? nil : "no PNG file")
        } catch { return Image(name: name, bytes: [], problem: "\(error)") }
    }
}

extension RecipeNode {
    /// A value in one line: `vit`, `[0.9, 0.999]`, `{kind: idx, part: train}`.
    var plainText: String {
        switch content {
        case .scalar(let text, _): text
        case .list(let items): "[" + items.map(\.plainText).joined(separator: ", ") + "]"
        case .section(let entries):
            "{" + entries.map { "\($0.key): \($0.value.plainText)" }.joined(separator: ", ") + "}"
        }
    }

    /// Every single value and list under this node with its dotted key.
    var flattened: [(key: String, text: String)] {
        guard case .section(let entries) = content else { return [("", plainText)] }
        return entries.flatMap { entry in
            entry.value.flattened.map { (entry.key + ($0.key.isEmpty ? "" : "." + $0.key), $0.text) }
        }
    }
}
