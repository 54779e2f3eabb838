package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// top takes the focus away and scrolls to the top.
const top = `() => { document.activeElement.blur(); scrollTo(0, 0); return true; }`

// pictures writes screenshots of all views, wide and narrow, light and dark.
func pictures(dir string) func(context.Context, *sandbox, *tab) error {
	return func(ctx context.Context, s *sandbox, t *tab) error {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := furnish(ctx, s, t); err != nil {
			return err
		}
		for _, width := range []int64{1280, 390} {
			for _, scheme := range []string{"light", "dark"} {
				if err := t.view(width, 844, scheme); err != nil {
					return err
				}
				if _, err := eval[bool](t, top); err != nil {
					return err
				}
				err := eachView(t, func(name string) error {
					file := filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, scheme))
					return t.shoot(file, name == "page")
				})
				if err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// picture writes the screenshot of the README.
func picture(file string) func(context.Context, *sandbox, *tab) error {
	return func(ctx context.Context, s *sandbox, t *tab) error {
		if err := furnish(ctx, s, t); err != nil {
			return err
		}
		if _, err := eval[bool](t, top); err != nil {
			return err
		}
		return t.shoot(file, false)
	}
}
