"""The peer of `pipeline.py`: the same library calls, written one after the other by hand.

Two processes, as the libraries force (TensorFlow and torch-geometric cannot share one):

    python benchmarks/tutorial.py segment CONFIG OUT     H&E + bins -> segmented.h5ad
    python benchmarks/tutorial.py annotate CONFIG OUT    segmented.h5ad -> annotated cells and bins

Settings are those of the config, with the libraries' own defaults for the rest.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import yaml

warnings.filterwarnings("ignore")


def load(config: Path) -> tuple[dict, Path, str]:
    """Read the config; give it with the sample's folder and id."""
    settings = yaml.safe_load(config.read_text())
    return settings, config.parent, settings["samples"][0]["id"]


def segment(config: Path, out: Path) -> None:
    """Read, segment and count."""
    from importlib.resources import files

    import sopa

    settings, folder, sample_id = load(config)
    sdata = sopa.io.visium_hd(
        str(folder / "outs"),
        dataset_id=sample_id,
        fullres_image_file=str(folder / settings["samples"][0]["fullres_image"]),
    )
    sopa.make_image_patches(sdata)
    model = Path(str(files("napari_vhd.io") / "weights" / settings["params"]["stardist_model"]))
    sopa.segmentation.stardist(sdata, local_model=model, min_area=20)
    sopa.segmentation.proseg(
        sdata,
        prior_shapes_key="stardist_boundaries",
        command_line_suffix=" " + os.environ.get("PROSEG_OPTIONS", ""),
    )
    sopa.aggregate(sdata, aggregate_channels=False, expand_radius_ratio=1)
    for table in sdata.tables.values():
        table.var_names_make_unique()
    sdata.write(out / "tutorial.zarr")
    sdata.tables["table"].write_h5ad(out / "segmented.h5ad")


def annotate(config: Path, out: Path) -> None:
    """Filter, find domains, deconvolve bins and type cells, with the tutorial's pictures."""
    import matplotlib

    matplotlib.use("Agg")
    import celltypist
    import decoupler as dc
    import enrichmap as em
    import flashdeconv as fd
    import matplotlib.pyplot as plt
    import novae
    import scanpy as sc
    import spatialdata
    from anndata import AnnData
    from rctd import RCTDConfig, Reference, run_rctd

    settings, folder, _ = load(config)
    params = settings["params"]

    def save(name: str, dpi: int) -> None:
        plt.savefig(out / f"{name}.png", dpi=dpi, bbox_inches="tight")
        plt.close("all")

    cells = sc.read_h5ad(out / "segmented.h5ad")
    sc.pp.filter_genes(cells, min_counts=1)
    sc.pp.filter_cells(cells, min_counts=1)
    cells.var["mt"] = cells.var_names.str.startswith(("MT-", "mt-"))
    sc.pp.calculate_qc_metrics(cells, qc_vars=["mt"], inplace=True, percent_top=None)
    for column in ("n_counts", "pct_counts_mt"):
        sc.pl.spatial(cells, color=column, spot_size=10, show=False)
        save(column, 150)
    cells = cells[cells.obs["pct_counts_mt"] < params.get("pct_mito", 10)].copy()
    novae.spatial_neighbors([cells], radius=params.get("radius", 50), coord_type="generic")
    novae.plot.connectivities([cells])
    save("connectivities", 600)
    cells.layers["counts"] = cells.X.copy()
    novae.utils.prepare_adatas([cells])
    cells.layers["lognorm_counts"] = cells.X.copy()
    sc.pp.pca(cells, use_highly_variable=True)
    model = novae.Novae([cells])
    model.fit([cells], max_epochs=max(params["novae_max_epochs"], 3))
    model.save_pretrained(str(out / "model"))
    model.compute_representations([cells], zero_shot=True)
    low, high = params["domain_range"]
    for number in range(low, high + 1):
        column = model.assign_domains([cells], level=number)
        novae.plot.domains([cells], cell_size=8, show=False, obs_key=column)
        save(f"domains_{number}", 600)
        novae.plot.domains_proportions([cells], obs_key=column, show=False)
        save(f"domains_proportions_{number}", 600)
    column = "novae_domains_8"
    cells.obs[column] = cells.obs[column].astype(str).replace("nan", "Unassigned")
    cells.write_h5ad(out / "clustered.h5ad")

    cells.X = cells.layers["lognorm_counts"].copy()
    markers = {
        name: [gene for gene in genes if gene in cells.var_names]
        for name, genes in settings["marker_genes"].items()
    }
    em.tl.score(cells, gene_set=markers, smoothing=True, correct_spatial_covariates=True)
    scores = [f"{name}_score" for name in markers]
    table = AnnData(cells.obs[scores].to_numpy(), obs=cells.obs[[column]].copy())
    table.var_names = list(markers)
    ranking = dc.tl.rankby_group(table, groupby=column, reference="rest", method="wilcoxon")
    ranking.to_csv(out / "ranking.csv", index=False)
    for name in scores:
        sc.pl.spatial(cells, color=name, spot_size=9, show=False)
        save(name, 300)

    column_of_types = params["cell_type_col"]
    reference = sc.read_h5ad(folder / settings["paths"]["reference"])
    reference.var_names = reference.var["feature_name"].astype(str)
    reference.var_names_make_unique()
    bins = spatialdata.read_zarr(out / "tutorial.zarr").tables["square_008um"]
    common = bins.var_names.intersection(reference.var_names)
    bins, reference = bins[:, common].copy(), reference[:, common].copy()
    umis = bins.X.sum(axis=1).A1
    bins = bins[(umis >= 100) & (umis <= 20_000_000)].copy()
    fd.tl.deconvolve(bins, reference, cell_type_key=column_of_types)
    sc.pl.spatial(bins, color="flashdeconv_dominant", spot_size=33, show=False)
    save("flashdeconv_dominant", 600)
    result = run_rctd(
        bins,
        Reference(reference, cell_type_col=column_of_types),
        mode="full",
        config=RCTDConfig(
            UMI_min_sigma=100, K_val=int(os.environ["RCTD_K_VAL"]), compile=False, device="cpu"
        ),
    )
    names = [result.cell_type_names[i] for i in result.weights.argmax(axis=1)]
    fitted = bins[result.pixel_mask].copy()
    fitted.obs["rctd_dominant"] = names
    sc.pl.spatial(fitted, color="rctd_dominant", spot_size=33, show=False)
    save("rctd_dominant", 600)

    cells.X = cells.layers["counts"].copy()
    for data in (cells, reference):
        sc.pp.normalize_total(data, target_sum=1e4)
        sc.pp.log1p(data)
    trained = celltypist.train(reference, labels=column_of_types, n_jobs=1, feature_selection=True)
    trained.write(str(out / "celltypist_model.pkl"))
    predicted = celltypist.annotate(
        cells, model=trained, majority_voting=True, over_clustering=column
    ).to_adata()
    cells.obs["cell_type_celltypist"] = predicted.obs["majority_voting"].to_numpy()
    sc.pl.spatial(cells, color="cell_type_celltypist", spot_size=9, show=False)
    save("cell_type_celltypist", 600)
    cells.write_h5ad(out / "annotated.h5ad")


if __name__ == "__main__":
    {"segment": segment, "annotate": annotate}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
