extension TrainingRun {
    /// What the person at the terminal or the batch script asked for.
    public struct Options: Sendable {
        /// The run folder.
        public var folder: String
        public var resumes = false
        public var takesOver = false
        /// Recipe keys that may differ from those that the run was started with.
        public var allowedChanges: Set<String> = []
        public var watchdogSeconds = 600.0
        /// Number of the batch job, for the lock.
        public var job = ""
        public var library = ""
        /// Checksum of the running program: every rank must run the same.
        public var program = ""
        /// The recipe file as it was written, and the words that started the program: kept in the run folder.
        public var recipeText: [UInt8] = []
        public var command: [String] = []
        /// What a new run begins with; nil for the start values of the model.
        public var start: StartingWeights?
        /// Score the test set when the run is finished, also when it was before.
        public var testsAtEnd = false

        public init(folder: String) { self.folder = folder }
    }
}
