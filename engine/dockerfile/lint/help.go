package lint

import "github.com/moby/buildkit/frontend/dockerfile/linter"

// prefix begins the names of our own rules.
const prefix = "Learn"

// Our own rules. They are about what a build costs, not about what it means: docker has none like them.
var (
	rulePackageCache = advice("PackageCache", "What a package manager keeps for its next run should not stay in a layer")
	ruleDeletedLater = advice("DeletedLater", "A layer keeps its files for good: what a later instruction deletes is shipped all the same")
	ruleCacheOrder   = advice("CacheOrder", "Dependencies should be installed before the sources are copied, so that a change of a source does not install them again")
	ruleAddForCopy   = advice("AddForCopy", "ADD unpacks archives and downloads: COPY does what it says")
	ruleAptUpdate    = advice("AptUpdateAlone", "apt-get update and apt-get install belong into one RUN: alone, the update stays in the cache and grows old")
	ruleLostState    = advice("LostShellState", "Each RUN is a new shell: its folder and variables end with it")
)

type rule = linter.LinterRule[struct{}]

func advice(name, description string) *rule {
	return &rule{Name: prefix + name, Description: description}
}

// help says how to mend what a rule found.
var help = map[string]string{
	"StageNameCasing":                 "write the stage's name in small letters",
	"FromAsCasing":                    "write AS as FROM is written",
	"NoEmptyContinuation":             "remove the empty line, or begin it with #",
	"ConsistentInstructionCasing":     "write all instructions in capitals, or none",
	"DuplicateStageName":              "give each stage a name of its own",
	"ReservedStageName":               "choose another name: scratch and context mean something",
	"JSONArgsRecommended":             `write ["program", "argument"], or set SHELL if the shell is meant to be there`,
	"MaintainerDeprecated":            `write LABEL org.opencontainers.image.authors="..."`,
	"UndefinedArgInFrom":              "declare it with ARG before the first FROM",
	"WorkdirRelativePath":             "begin the first WORKDIR with /",
	"UndefinedVar":                    "declare it with ARG or ENV before, or write \\$ for a plain $",
	"MultipleInstructionsDisallowed":  "remove all but the last",
	"LegacyKeyValueFormat":            "put = between name and value, and quotes around a value with blanks",
	"InvalidBaseImagePlatform":        "build for the base image's platform, or choose a base image that has yours",
	"RedundantTargetPlatform":         "leave --platform out",
	"SecretsUsedInArgOrEnv":           "use RUN --mount=type=secret: arguments and variables are in the image's history and config",
	"InvalidDefaultArgInFrom":         "give the ARG a default that makes a valid image name",
	"FromPlatformFlagConstDisallowed": "use $BUILDPLATFORM or $TARGETPLATFORM, or leave --platform out",
	"CopyIgnoredFile":                 "remove the pattern from .dockerignore, or the instruction",
	"InvalidDefinitionDescription":    "begin the comment with the name, or leave an empty line below it",
	"ExposeProtoCasing":               "write the protocol in small letters",
	"ExposeInvalidFormat":             "name the container's port only; docker run -p maps it",

	rulePackageCache.Name: "clean up in the same RUN, or keep the cache out of the layer with RUN --mount=type=cache",
	ruleDeletedLater.Name: "delete it in the RUN that makes it, or make it in another stage and copy what is needed from there",
	ruleCacheOrder.Name:   "COPY the manifest alone, install, and COPY the rest after that",
	ruleAddForCopy.Name:   "write COPY",
	ruleAptUpdate.Name:    "write RUN apt-get update && apt-get install ...",
	ruleLostState.Name:    "use WORKDIR for a folder and ENV for a variable",
}
