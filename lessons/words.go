package lessons

import (
	"fmt"
	"strings"

	"github.com/learn-containers/learn/lessons/translate"
)

// phrase is one of the player's own texts.
type phrase int

const (
	sayMinutes phrase = iota
	sayMinute
	saySteps
	sayStep
	sayQuestions
	sayQuestion
	sayChecks
	sayCheck
	sayAbout
	sayFile
	sayCommand
	sayPredict
	sayFind
	sayKeys
	sayHelp
	sayNoKey
	sayGoTakes
	sayEnterRuns
	sayEnterFinishes
	sayFolded
	sayReturned
	sayNotPlanned
	sayWentTo
	sayYourPrediction
	sayHowSure
	sayRange
	sayNoChoice
	sayHappened
	sayRight
	sayWrong
	sayCertain
	sayEvidence
	sayBelief
	sayBut
	saySee
	sayProof
	sayEventNumber
	sayFilePath
	sayFound
	sayNotFound
	sayNoStep
	sayHomeIs
	sayInFull
	sayChecked
	sayNotSo
	sayDone
	sayScore
	sayFailed
)

// phrases are the player's texts in English, each with the id by which a translation names it.
var phrases = [...]translate.Text{
	sayMinutes:        {ID: "minutes", Source: "{{n}} minutes"},
	sayMinute:         {ID: "minute", Source: "{{n}} minute"},
	saySteps:          {ID: "steps", Source: "{{n}} steps"},
	sayStep:           {ID: "step", Source: "{{n}} step"},
	sayQuestions:      {ID: "questions", Source: "{{n}} questions"},
	sayQuestion:       {ID: "question", Source: "{{n}} question"},
	sayChecks:         {ID: "checks", Source: "{{n}} checks"},
	sayCheck:          {ID: "check", Source: "{{n}} check"},
	sayAbout:          {ID: "about", Source: "About {{minutes}}, {{steps}}."},
	sayFile:           {ID: "file", Source: "File `{{path}}`:"},
	sayCommand:        {ID: "command", Source: "Step {{n}} of {{of}}:"},
	sayPredict:        {ID: "predict", Source: "Predict: {{question}}"},
	sayFind:           {ID: "find", Source: "Find the evidence: {{question}}"},
	sayKeys:           {ID: "keys", Source: "Keys, each followed by Enter: n next, b back, g N go to step N, w why, e evidence, ? help, q quit."},
	sayHelp:           {ID: "help", Source: longHelp},
	sayNoKey:          {ID: "no-key", Source: `"{{key}}" is no key here. {{keys}}`},
	sayGoTakes:        {ID: "go-takes", Source: "g takes the number of a step, 1 to {{last}}."},
	sayEnterRuns:      {ID: "enter-runs", Source: "Enter runs it"},
	sayEnterFinishes:  {ID: "enter-finishes", Source: "Enter finishes the lesson"},
	sayFolded:         {ID: "folded", Source: "Some of these lines have more than {{width}} columns, so your terminal folds them. In a wider window, what belongs together stands below each other."},
	sayReturned:       {ID: "returned", Source: "the command returned {{code}}; expected {{want}}"},
	sayNotPlanned:     {ID: "not-planned", Source: "Not as planned: {{what}}."},
	sayWentTo:         {ID: "went-to", Source: "Everything is as it was before step {{n}}."},
	sayYourPrediction: {ID: "your-prediction", Source: "Your prediction"},
	sayHowSure:        {ID: "how-sure", Source: "How sure are you? 1 a guess, 2 fairly, 3 certain"},
	sayRange:          {ID: "range", Source: "{{prompt}}, 1 to {{most}}"},
	sayNoChoice:       {ID: "no-choice", Source: `"{{given}}" is no choice; expected a number from 1 to {{most}}.`},
	sayHappened:       {ID: "happened", Source: "What happened: {{n}}. {{choice}}"},
	sayRight:          {ID: "right", Source: "Right: {{n}}. {{choice}}"},
	sayWrong:          {ID: "wrong", Source: "You said {{given}}. What happened: {{n}}. {{choice}}"},
	sayCertain:        {ID: "certain", Source: "You were certain, so this one is worth a second look."},
	sayEvidence:       {ID: "evidence", Source: "The evidence:"},
	sayBelief:         {ID: "belief", Source: "A common belief: {{claim}}"},
	sayBut:            {ID: "but", Source: "But: {{refutation}}"},
	saySee:            {ID: "see", Source: "See for yourself: {{evidence}}"},
	sayProof:          {ID: "proof", Source: "{{label}}: {{value}}"},
	sayEventNumber:    {ID: "event-number", Source: "Number of the event (e lists them)"},
	sayFilePath:       {ID: "file-path", Source: "Path of the file"},
	sayFound:          {ID: "found", Source: "Right:"},
	sayNotFound:       {ID: "not-found", Source: `"{{given}}" is not it. The evidence:`},
	sayNoStep:         {ID: "no-step", Source: "No step has run yet."},
	sayHomeIs:         {ID: "home-is", Source: "Files are below $LEARN_HOME, {{home}}"},
	sayInFull:         {ID: "in-full", Source: "Step {{n}} in full:"},
	sayChecked:        {ID: "checked", Source: "Checked: {{says}}."},
	sayNotSo:          {ID: "not-so", Source: "Not so: {{says}}."},
	sayDone:           {ID: "done", Source: "The lesson is done."},
	sayScore:          {ID: "score", Source: "You answered {{right}} of {{questions}} right."},
	sayFailed:         {ID: "failed", Source: "{{checks}} did not hold."},
}

const longHelp = `n or Enter  run the command, or go on
b           back: everything becomes as it was before the step above
g N         go to step N, forward or back
w           why: what the step just run did, down to the system calls
e           evidence: every event of that step with its number, and the file it is about
?           this help
q           quit; the lesson begins anew next time
A question with choices takes the choice's number. A question for evidence takes an event's number or a path.`

// Words lists the player's own texts, for those who translate them.
func Words() []translate.Text {
	out := phrases
	return out[:]
}

// words says phrases in a language; the zero value in English.
type words struct{ translation translate.File }

// say fills a phrase: names and values come in turn.
func (w words) say(p phrase, values ...any) string {
	text, ok := w.translation.Find(phrases[p])
	if !ok {
		text = phrases[p].Source
	}
	var pairs []string
	for i := 0; i+1 < len(values); i += 2 {
		pairs = append(pairs, fmt.Sprintf("{{%v}}", values[i]), fmt.Sprint(values[i+1]))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// count says a number of things.
func (w words) count(n int, one, many phrase) string {
	if n == 1 {
		return w.say(one, "n", n)
	}
	return w.say(many, "n", n)
}
