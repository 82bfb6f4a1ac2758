// Command analyzers checks packages as the tool of `go vet -vettool`, which
// keeps the findings of a package until the package changes. An analyzer that
// exports facts, such as nilness, has every dependency analyzed as well, which
// takes many minutes here.
package main

import (
	"github.com/alexkohler/nakedret/v2"
	"github.com/golangci/unconvert"
	"github.com/gordonklaus/ineffassign/pkg/ineffassign"
	"github.com/polyfloyd/go-errorlint/errorlint"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/unitchecker"
)

// maxNakedLines is the length of a function up to which it may return named
// results without naming them.
const maxNakedLines = 10

func main() {
	wrapping := errorlint.NewAnalyzer()
	if err := wrapping.Flags.Set("errorf", "true"); err != nil {
		panic(err)
	}
	unitchecker.Main(
		wrapping,
		ineffassign.Analyzer,
		nakedret.NakedReturnAnalyzer(&nakedret.NakedReturnRunner{MaxLength: maxNakedLines}),
		unneededConversions,
	)
}

var unneededConversions = &analysis.Analyzer{
	Name: "unconvert",
	Doc:  "reports conversions of a value to the type that it has",
	Run: func(pass *analysis.Pass) (any, error) {
		for _, found := range unconvert.Run(pass) {
			for _, file := range pass.Files {
				if in := pass.Fset.File(file.Package); in.Name() == found.Filename {
					pass.Reportf(in.LineStart(found.Line), "unnecessary conversion in column %d", found.Column)
				}
			}
		}
		return nil, nil
	},
}
