ClusterProbe.run(CommandLine.arguments)
