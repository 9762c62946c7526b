import Autodiff
import Checkpoints
import FoundationEssentials
import Kernels
import Layers
import Testing

/// One fixture of the area: its tensors and what its metadata says of the net.
struct SparKFile<Config: Decodable & Sendable>: Sendable, CustomTestStringConvertible {
    let name: String
    let file: Safetensors
    let config: Config

    var testDescription: String { name }

    /// The fixtures that hold all of `keys` and whose metadata reads as `Config`.
    static func files(holding keys: String...) -> [SparKFile] {
        let folder = SparKFolder.path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".safetensors") }.sorted().compactMap { name in
            guard let file = try? Safetensors("\(folder)/\(name)"), keys.allSatisfy(file.contains),
                let text = file.metadata["config"].map({ Data($0.utf8) }),
                let config = try? JSONDecoder().decode(Config.self, from: text)
            else { return nil }
            return SparKFile(name: name, file: file, config: config)
        }
    }

    func floats(_ key: String) throws -> [Float] { try file.tensor(key).floats }

    /// What follows `prefix` in the names that begin with it.
    func parts(after prefix: String) -> [String] {
        file.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    func active(_ key: String = "input/active") throws -> ActiveMap {
        let tensor = try file.tensor(key)
        return ActiveMap(cells: tensor.integers, batch: tensor.shape[0], grid: tensor.shape[2])
    }
}

enum SparKFolder {
    static let path = (ProcessInfo.processInfo.environment["LACUNA_GOLDEN"] ?? "Tests/Golden/Fixtures") + "/spark"
}

/// Which cells a fixture shows.
struct ActiveMap: Sendable {
    /// 1 = visible, (B, g, g).
    let cells: [Int]
    let batch, grid: Int

    var total: Int { cells.reduce(0, +) }
    /// 1 = hidden, as graphs take it.
    var hidden: Floats { Floats(cells.map { Float(1 - $0) }) }

    /// The same count in every image.
    var isEven: Bool {
        let counts = (0..<batch).map { image in
            cells[image * grid * grid..<(image + 1) * grid * grid].reduce(0, +)
        }
        return Set(counts).count == 1
    }

    func recorded(_ graph: Graph) -> (mask: Tensor, cells: ActiveCells) {
        let mask = graph.input("mask", [batch, grid, grid])
        return (mask, ActiveCells(mask: mask, total: total, isEven: isEven))
    }

    /// The active positions of a reference map (B, C, H, W) as rows of channels, cell by cell.
    func rows(_ values: [Float], _ shape: [Int]) -> [Float] {
        let (channels, side) = (shape[1], shape[2])
        let tile = side / grid
        var rows: [Float] = []
        for cell in cells.indices where cells[cell] == 1 {
            let (image, top, left) = (cell / grid / grid, cell / grid % grid * tile, cell % grid * tile)
            for y in top..<top + tile {
                for x in left..<left + tile {
                    for channel in 0..<channels {
                        rows.append(values[((image * channels + channel) * side + y) * side + x])
                    }
                }
            }
        }
        return rows
    }
}

/// Σ x·r with the fixture's r, summed in Double.
struct Weighted: Operation {
    let factors: Floats
    init(_ factors: [Float]) { self.factors = Floats(factors) }
    var keeps: Kept { .nothing }
    func outputShape(of inputs: [Shape]) throws(ShapeError) -> Shape { [1] }
    func forward(_ at: Workspace) {
        at.output[0] = Float((0..<factors.count).reduce(0.0) { $0 + Double(factors[$1]) * Double(at.inputs[0][$1]) })
    }
    func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        at.pool.copy(factors, into: dx, adding: at.adds[0], scale: at.outputGradient[0])
    }
}

extension StoredTensor {
    /// The values of any kind of number: counters are integers.
    var numbers: [Float] { kind == .i64 ? integers.map { Float($0) } : floats }
}
