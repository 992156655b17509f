"""The run folder that the tests of corrections start from."""

from napari_vhd import Session


def test_a_made_run_has_cells_types_and_both_boundaries(reviewed_run):
    with Session.open(reviewed_run) as session:
        cells = session.cells
        assert cells.n_obs > 200
        assert {"novae_domains_5", "cell_type_domain", "Tumor_score", "kept"} <= set(cells.obs)
        assert len(session.boundaries("stardist_boundaries")) >= cells.n_obs
        assert cells.X.sum() > 0
