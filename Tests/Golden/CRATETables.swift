import FoundationEssentials
import Models
import Optimizers
import Testing
import Training

/// Position tables, their resampling, and rate tables.
@Suite struct CRATETables {
    struct Positions: Decodable, Sendable {
        struct Table: Decodable, Sendable { let embed_dim, grid: Int }
        struct Look: Decodable, Sendable {
            let embed_dim, grid: Int
            let new_grid: [Int]
        }
        struct Resize: Decodable, Sendable { let embed_dim, grid, new_grid: Int }
        let tables: [String: Table]
        let interp: [String: Look]
        let resize: [String: Resize]
    }
    struct Rates: Decodable, Sendable {
        struct Curve: Decodable, Sendable {
            let lr: Double
            let min_lr: Double?
            let epochs: Int
            let warmup_epochs, steps_per_epoch: Int?
        }
        let main, finetune, mae: [String: Curve]
    }

    private static func files<Settings: Decodable>(_ type: Settings.Type) -> [(CRATEFile, Settings)] {
        CRATEFile.files().compactMap { golden in
            guard let text = golden.file.metadata["config"],
                let settings = try? JSONDecoder().decode(type, from: Data(text.utf8))
            else { return nil }
            return (golden, settings)
        }
    }

    @Test func `position tables and their resampling equal the reference's`() throws {
        let files = Self.files(Positions.self)
        #expect(!files.isEmpty)
        for (golden, settings) in files {
            for (name, table) in settings.tables {
                let ours = SinCosPositions.table(grid: table.grid, width: table.embed_dim)
                expectWithin(4e-7, ours, try golden.floats("output/\(name)"), name)
            }
            for (name, look) in settings.interp {
                let resampling = PositionResampling.looking(from: look.grid, to: look.new_grid[0], look.new_grid[1])
                let ours = resampling(try golden.floats("input/\(name)"), width: look.embed_dim)
                expectWithin(CRATETolerance.output, ours, try golden.floats("output/\(name)"), name)
            }
            for (name, resize) in settings.resize {
                let resampling = PositionResampling.square(from: resize.grid, to: resize.new_grid)
                let ours = resampling(try golden.floats("input/\(name)"), width: resize.embed_dim)
                expectWithin(CRATETolerance.output, ours, try golden.floats("output/\(name)"), name)
            }
        }
    }

    @Test func `rates equal the reference's tables`() throws {
        let files = Self.files(Rates.self)
        #expect(!files.isEmpty)
        for (golden, settings) in files {
            for (name, curve) in settings.main { try compare(golden, name, curve, form: "crate") }
            for (name, curve) in settings.finetune { try compare(golden, name, curve, form: "crate_fine_tuning") }
            for (name, curve) in settings.mae { try compare(golden, name, curve, form: "mae") }
        }
    }

    private func compare(_ golden: CRATEFile, _ name: String, _ curve: Rates.Curve, form: String) throws {
        // Tables of epochs: three updates each, of which the first is looked at.
        let perEpoch = curve.steps_per_epoch ?? 3, stride = curve.steps_per_epoch == nil ? 3 : 1
        let schedule = try Golden.schedule(
            EpochClock(updates: perEpoch),
            [
                "kind": "cosine", "form": form, "base_lr": curve.lr, "min_lr": curve.min_lr ?? 0,
                "warmup_epochs": curve.warmup_epochs, "warmup_lr": curve.warmup_epochs.map { _ in 0 },
                "epochs": curve.epochs,
            ])
        for (index, reference) in try golden.floats("output/\(name)").enumerated() {
            let ours = Float(schedule.learningRate(at: index * stride))
            #expect(abs(ours - reference) <= CRATETolerance.rate * abs(reference), "\(name) at \(index)")
        }
    }
}

extension PositionResampling {
    /// The reference's rule for looking at images of another size: it adds 0.1 to the new extents before it divides,
    /// against rounding, and the 0.1 stays in the steps.
    static func looking(from grid: Int, to rows: Int, _ columns: Int) -> PositionResampling {
        PositionResampling(
            from: grid, to: rows, columns,
            steps: (Double(grid) / (Double(rows) + 0.1), Double(grid) / (Double(columns) + 0.1)))
    }
}
