// Takes the next step by itself; without scripts there is the button.
document.getElementById("go-on").requestSubmit();
