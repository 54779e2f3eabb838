package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/feeds"
	"github.com/threatconnect-go/threatconnect/ioc"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// importer is one run of the command.
type importer struct {
	cfg      *config
	env      *cli.Env
	log      *slog.Logger
	client   *threatconnect.Client
	progress *progress
	sum      *summary
	began    string // name of an import that begins now
}

// run imports the feed and prints the summary.
func run(ctx context.Context, env *cli.Env, c *config) error {
	began := time.Now()
	im := &importer{cfg: c, env: env, progress: newProgress(env, c.retryFor), sum: newSummary(c), began: newRun()}
	log, closer, err := c.log.Open(im.progress)
	if err != nil {
		im.progress.close()
		return c.withMessage(err)
	}
	im.log = log
	log.Info("feed started", "version", threatconnect.Version, "input", c.inputKind(), "format", string(c.format), "owner", c.owner, "dryRun", c.dryRun)
	err = im.connect()
	if err == nil {
		err = im.importAll(ctx)
	}
	im.progress.close()
	im.sum.Seconds = time.Since(began).Round(time.Millisecond).Seconds()
	im.sum.finish(cause(ctx, err))
	level := slog.LevelInfo
	if im.sum.Cause != "" && c.log.Dir != "" { // standard error gets the message
		level = slog.LevelError
	}
	log.Log(ctx, level, "feed ended", im.sum.attrs()...)
	return im.end(closer)
}

// cause returns the error that ended the import as a sentence, or "".
func cause(ctx context.Context, err error) string {
	if err == nil {
		return ""
	}
	if stopped := context.Cause(ctx); stopped != nil && errors.Is(err, stopped) {
		return "stopped: " + stopped.Error()
	}
	return strings.ReplaceAll(cli.Explain(err), "\n", "; ") // of joined errors
}

// end prints the summary and returns the exit code. If the summary, the message or the log cannot be written, the
// run has failed.
func (im *importer) end(log io.Closer) error {
	s, exit := im.sum, im.sum.Exit
	for _, err := range []error{
		im.print(), cli.WriteMessage(im.cfg.outDir, s.Message), log.Close(),
	} {
		if err != nil {
			im.env.Printf("threatconnect feed: %s", cli.Explain(err))
			exit = cli.Failure
		}
	}
	if exit == cli.Success {
		return nil
	}
	return cli.ExitCode(exit)
}

// connect makes the client for the instance, or for a test server in the process.
func (im *importer) connect() (err error) {
	options := []threatconnect.Option{threatconnect.WithObserver(im.progress.observer())}
	if !im.cfg.instance.InProcess() {
		im.client, err = im.cfg.instance.Client(im.log, options...)
		return err
	}
	server := []threatconnecttest.Option{threatconnecttest.WithRequestLog(0)}
	if im.cfg.input != "" {
		server = append(server, threatconnecttest.WithoutContents()) // only the sample is shown
	}
	im.client, err = im.cfg.instance.TestServer(im.env, im.log, func(srv *threatconnecttest.Server) error {
		for _, o := range srv.Owners() {
			if o.Name == im.cfg.owner {
				return nil
			}
		}
		return srv.Seed(&threatconnecttest.Owner{Name: im.cfg.owner, Type: "Source"})
	}, server...)
	return err
}

// importAll imports the feed. With --spool, it first finishes what earlier runs have left.
func (im *importer) importAll(ctx context.Context) error {
	if err := im.preflight(ctx); err != nil {
		return err
	}
	if im.cfg.spool != "" && !im.cfg.dryRun {
		return im.importSpool(ctx)
	}
	cursor, err := im.cursor(ctx)
	if err != nil {
		return err
	}
	in, err := im.open(ctx, cursor)
	if errors.Is(err, feeds.ErrNotModified) {
		im.sum.NotModified = true
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { in.Close() }()
	if im.cfg.showLines && in.path == "" { // which have to be read a second time
		dir, err := os.MkdirTemp("", "threatconnect-feed-")
		if err != nil {
			return fmt.Errorf("--show-lines: %w", err)
		}
		defer os.RemoveAll(dir)
		path, cursor := filepath.Join(dir, "feed"), in.cursor
		if _, err := copyFile(path, in); err != nil {
			return fmt.Errorf("--show-lines: the feed cannot be saved: %w", cli.WithoutPath(err))
		}
		in.Close()
		if in, err = openFile(ctx, path); err != nil {
			return err
		}
		in.cursor = cursor
	}
	_, err = im.load(ctx, in, savedFeed{Run: newRun(), Format: im.cfg.format}, im.cfg.exclude, nil, true)
	return err
}

// importSpool saves the feed in the spool, and imports all feeds in it, the oldest first.
func (im *importer) importSpool(ctx context.Context) error {
	s, err := openSpool(im.cfg.spool)
	if err != nil {
		return err
	}
	defer s.close()
	saved := im.saveInput(ctx, s) // reported after what earlier runs have left is imported
	if errors.Is(saved, feeds.ErrNotModified) {
		saved = nil
		im.sum.NotModified = true
	}
	all, err := s.feeds()
	if err != nil {
		return err
	}
	var ended error
	for n, f := range all {
		if err := f.checkSettings(im.cfg.settings(im.client.BaseURL())); err != nil {
			return err
		}
		if f.Run < im.began {
			im.sum.Resumed++
			im.progress.line("Finishing an import that was interrupted.")
		}
		in, err := openFile(ctx, s.path(f.Run+feedSuffix))
		if err != nil {
			return fmt.Errorf("--spool: %w", err)
		}
		in.cursor = f.Cursor
		lists := make([]string, len(f.Lists))
		for i, name := range f.Lists {
			lists[i] = s.path(name)
		}
		kept, err := im.load(ctx, in, f, lists, threatconnect.NewDirSpool(s.path("journal")), n == len(all)-1)
		in.Close()
		ended = errors.Join(ended, err)
		if kept {
			break // feeds are imported in their order
		}
		if err := s.remove(f); err != nil {
			return errors.Join(ended, err)
		}
	}
	return errors.Join(ended, saved)
}

// load imports one feed. kept reports whether the rest of the import is in the spool.
func (im *importer) load(ctx context.Context, in *input, f savedFeed, lists []string, spool threatconnect.Spool, last bool) (kept bool, err error) {
	exclusions := &ioc.Exclusions{AllowDocumentation: im.cfg.allowDocumentation}
	for i, list := range lists {
		if err := addList(exclusions, im.cfg.exclude, i, list); err != nil {
			return true, err
		}
	}
	feed, err := feeds.Open(in, &feeds.Options{
		Format: f.Format, CSV: im.cfg.csv, Owner: im.cfg.owner, Feed: im.cfg.feedName(), LiteralXIDs: im.cfg.rawXIDs,
	})
	if err != nil {
		return false, err
	}
	im.sum.Format = string(feed.Format())
	l := &load{
		importer: im, feed: feed, exclude: exclusions.Exclude, run: f.Run, spool: spool, cursor: in.cursor, lists: lists,
		removeStale: im.cfg.removeStale && last, before: im.sum.counts, reported: map[int64]bool{}, attributes: map[string]bool{},
	}
	im.progress.reading(in)
	im.announce(feed.Format())
	if l.state, err = im.openState(ctx, f.Run, im.cfg.dryRun); err != nil {
		return true, err
	}
	if l.state != nil {
		im.tellReason(l.state.Reason())
		defer func() { err = errors.Join(err, l.state.Close()) }()
	}
	err = l.do(ctx)
	if im.cfg.showLines && in.path != "" {
		err = errors.Join(err, im.quote(ctx, in.path))
	}
	return l.kept, err
}

func addList(x *ioc.Exclusions, names []string, i int, path string) error {
	name := filepath.Base(path)
	if i < len(names) {
		name = filepath.Base(names[i])
	}
	return cli.AddList(x, name, path)
}

// announce prints the feed and the owner.
func (im *importer) announce(format feeds.Format) {
	name := map[string]string{"sample": "the sample feed", "stdin": "standard input", "url": "the feed of the URL", "file": im.cfg.input}[im.cfg.inputKind()]
	at := im.client.BaseURL()
	if im.sum.InProcess {
		at = "the test server"
	}
	im.log.Info("feed opened", "format", string(format))
	verb := "Importing"
	if im.cfg.dryRun {
		verb = "Dry run: importing"
	}
	im.progress.line("%s %s (%s) into %s at %s", verb, name, format, im.cfg.owner, at)
}

// quote reads the lines for --show-lines from the feed.
func (im *importer) quote(ctx context.Context, path string) error {
	in, err := openFile(ctx, path)
	if err != nil {
		return fmt.Errorf("--show-lines: %w", cli.WithoutPath(err))
	}
	defer in.Close()
	return im.sum.refusals.quote(in)
}
