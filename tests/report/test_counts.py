from report.counts import counted, films_of_patients, shortened


def test_one_is_one_and_all_other_numbers_are_many():
    words = [counted(number, "woman", "women") for number in (0, 1, 2, 11)]
    assert words == ["0 women", "1 woman", "2 women", "11 women"]
    assert films_of_patients(2, 1) == "2 films of 1 patient"


def test_a_shortened_text_says_that_something_is_left_out():
    assert shortened("lung cancer", 11) == "lung cancer" and shortened("lung cancers", 11) == "lung cance…"
    assert shortened("lung cancer", 6) == "lung…", "no space before it"
