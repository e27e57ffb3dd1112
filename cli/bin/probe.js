// Loads a configuration in a process of its own; see src/probe. The conditions of "imports" decide between source and build.
import '#probe'
