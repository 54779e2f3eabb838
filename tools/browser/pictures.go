package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
		if err := t.until("the plot shows the feed", `() => /[LM]\d+ (?!39)\d/.test(document.querySelectorAll("#plot path:not(.area)")[1].getAttribute("d"))`); err != nil {
			return err
		}
		if _, err := eval[bool](t, top); err != nil {
			return err
		}
		if err := t.shoot(file, false); err != nil {
			return err
		}
		return reduce(file)
	}
}

// reduce rewrites a picture with 256 colors, in a third of the bytes. It keeps the most frequent colors, and others
// that differ from them, such as the color of an error.
func reduce(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	from, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		return err
	}
	counts := map[color.Color]int{}
	for y := range from.Bounds().Dy() {
		for x := range from.Bounds().Dx() {
			counts[from.At(x, y)]++
		}
	}
	colors := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] })
	var palette color.Palette
	seen := map[[3]uint32]bool{}
	for _, c := range colors {
		r, g, b, _ := c.RGBA()
		kind := [3]uint32{r >> 12, g >> 12, b >> 12}
		if len(palette) < 64 || len(palette) < 256 && !seen[kind] {
			palette = append(palette, c)
			seen[kind] = true
		}
	}
	to := image.NewPaletted(from.Bounds(), palette)
	draw.Draw(to, to.Bounds(), from, image.Point{}, draw.Src)
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, to); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o600)
}
